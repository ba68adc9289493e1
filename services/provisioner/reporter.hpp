// Reports to the scheduler what was observed of domains; nothing else does. Each change is recorded
// with its number, in one commit with the grant that it is of, and sent in order until the
// scheduler has acknowledged it. Runs on the service's loop.
#pragma once

#include <deque>
#include <string>

#include "core/bus/bus.hpp"
#include "messages/scheduler.hpp"
#include "services/provisioner/grants.hpp"

namespace nucleus::provisioner {

/// What is reported of a grant's domain.
struct DomainReport {
  msg::DomainState state = msg::DomainState::unknown;
  std::string reason = {};             // one line, without paths of this host
  std::int64_t last_seen_unix_ms = 0;  // only if it ended unobserved
  bool is_preparing = false;           // absent, but nothing failed
};

class Reporter {
 public:
  Reporter(core::Loop& loop, core::Bus& bus, core::Store& store, Grants& grants)
      : loop_{loop}, bus_{bus}, store_{store}, grants_{grants} {}

  /// Reads the reports that are not acknowledged yet: the records were loaded.
  void rebuild();
  /// Writes the record, and reports the change, with what became of the grant's hibernation, unless
  /// it repeats the last one.
  void report(StoredGrant stored, DomainReport report);
  /// Begins a new log with the last state of every grant: reports were lost, with the scheduler's
  /// records or with ours.
  void begin_log();
  /// Sends what is not acknowledged, if no call is under way. Call regularly.
  void send();

  /// Names the log of reports: a new one begins with the host's records. Empty = no report yet.
  const std::string& log_id() const { return log_.log_id; }
  /// The newest report; 0 = none.
  std::uint64_t last() const { return log_.last; }
  /// The newest report that the scheduler has acknowledged; 0 = none.
  std::uint64_t acknowledged() const { return log_.acknowledged; }

 private:
  void add(core::Transaction& tx, const StoredGrant& stored, std::int64_t last_seen_unix_ms);
  void send_to(std::uint64_t last);
  void take_answer(const msg::DomainsReported& answer);

  core::Loop& loop_;
  core::Bus& bus_;
  core::Store& store_;
  Grants& grants_;
  StoredReportLog log_ = {};
  std::deque<StoredReport> waiting_ = {};  // not acknowledged, by number without gaps
  bool is_sending_ = false;
  std::uint64_t generation_ = 0;  // of the log and the records; older answers are dropped
};

}  // namespace nucleus::provisioner

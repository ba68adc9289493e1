// In place of the scheduler, for tests of a provisioner: it answers heartbeats with the lease that
// the test sets, and takes the reports of domains. In a real process or a simulated one.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

/// The domain changes that were reported, once each, in order.
class DomainReports {
 public:
  /// The newest number taken.
  std::uint64_t take(const msg::ReportDomains& report) {
    const std::scoped_lock lock(mutex_);
    auto& taken = taken_[report.log_id];
    for (std::size_t i = 0; i < report.changes.size(); ++i)
      if (report.first_number + i == taken + 1) {
        all_.push_back(report.changes[i]);
        ++taken;
      }
    return taken;
  }
  /// False: the reports that are acknowledged are not all there.
  bool has_all(const msg::ReportHost& report) {
    const std::scoped_lock lock(mutex_);
    return report.reported <= taken_[report.log_id];
  }
  /// As a scheduler whose records were lost.
  void lose_all() {
    const std::scoped_lock lock(mutex_);
    taken_.clear();
  }
  std::set<std::string> logs() {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> ids;
    for (const auto& [id, taken] : taken_)
      if (taken > 0) ids.insert(id);
    return ids;
  }
  std::vector<msg::DomainChanged> all() {
    const std::scoped_lock lock(mutex_);
    return all_;
  }
  /// The next change of this node to `state`, after the one that the last `next` of the node
  /// returned; nothing if the deadline passes first. Changes of different nodes have no order.
  std::optional<msg::DomainChanged> next(const std::string& node, msg::DomainState state) {
    std::optional<msg::DomainChanged> found;
    (void)eventually([&] {
      const std::scoped_lock lock(mutex_);
      auto& seen = seen_[node];
      for (auto at = seen; at < all_.size() && !found; ++at)
        if (all_[at].node_id.value == node && all_[at].state == state) {
          found = all_[at];
          seen = at + 1;
        }
      return found.has_value();
    });
    return found;
  }

 private:
  std::mutex mutex_ = {};
  std::map<std::string, std::uint64_t> taken_ = {};  // newest number, by log
  std::vector<msg::DomainChanged> all_ = {};
  std::map<std::string, std::size_t> seen_ = {};  // changes up to the last `next`, by node
};

/// Records reports, and answers heartbeats while there is a lease to give.
struct LeaseRoom {
  std::atomic<std::int64_t>& lease_ms;  // 0 = no answer
  std::atomic<std::uint64_t>& revision;
  std::mutex& mutex;
  std::vector<msg::ReportHost>& reports;
  DomainReports& domains;
  LeaseRoom(core::Runtime& runtime, std::atomic<std::int64_t>& lease,
            std::atomic<std::uint64_t>& newest, std::mutex& guard,
            std::vector<msg::ReportHost>& all, DomainReports& changes)
      : lease_ms{lease}, revision{newest}, mutex{guard}, reports{all}, domains{changes} {
    runtime.bus.serve_later<msg::ReportHost>(*this, &LeaseRoom::answer);
    runtime.bus.serve<msg::ReportDomains>(*this, &LeaseRoom::take);
  }
  core::Result<msg::DomainsReported> take(const msg::ReportDomains& report, core::Context&) {
    if (lease_ms == 0) return core::refuse(core::ErrorCode::unavailable, "the scheduler is away");
    return msg::DomainsReported{.number = domains.take(report)};
  }
  void answer(const msg::ReportHost& report, core::Context& context,
              core::Responder<msg::HostLease> respond) {
    {
      const std::scoped_lock lock(mutex);
      reports.push_back(report);
    }
    if (lease_ms > 0)
      respond(msg::HostLease{.lease_ms = lease_ms,
                             .revision = revision,
                             .must_report_all = !domains.has_all(report),
                             .unix_ms = context.now_unix_ms()});
  }
};

inline msg::Grant a_grant(const std::string& node, std::uint64_t epoch, std::uint64_t revision,
                          bool is_on = true) {
  return {.node_id = {node},
          .cluster_id = {"c"},
          .project_id = {"p"},
          .node_name = node,
          .epoch = epoch,
          .revision = revision,
          .is_on = is_on,
          .cpus = 1,
          .memory_mb = 256};
}

}  // namespace nucleus::tests

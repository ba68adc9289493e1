// What is kept of each host in memory only: its heartbeats, and the calls under way to it. Times
// are steady milliseconds.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"
#include "services/scheduler/config.hpp"

namespace nucleus::scheduler {

class Heartbeats {
 public:
  struct Overdue {
    std::vector<msg::HostId> silent =
        {};  // no heartbeat for `host_silence_ms`, or the lease is over
    std::vector<msg::HostId> expired = {};  // its lease and the margin are over
  };

  explicit Heartbeats(const Config& config) : config_{config} {}

  void clear() { hosts_.clear(); }
  void forget(const msg::HostId& id) { hosts_.erase(id); }
  /// After a load: the last answer to the host is unknown, so its whole lease starts now.
  void restart_lease(const msg::HostId& id, std::int64_t now_ms) {
    hosts_[id] = {.received_ms = now_ms};
  }
  /// Returns true if the host's provisioner has restarted.
  bool take(const msg::ReportHost& report, std::int64_t now_ms, std::int64_t now_unix_ms);
  /// Adds to `host` what is known from its last heartbeat alone.
  void describe(msg::Host& host) const;
  /// The oldest of the last complete checks of these hosts; 0 if one has none.
  std::int64_t checked_unix_s(const std::set<msg::HostId>& hosts) const;
  /// The nodes whose image is being copied by this report, and was not by the last one.
  std::vector<msg::NodeId> begun_copies(const msg::ReportHost& report) const;
  /// How far the host has copied the node's image; none if it is complete, or nothing is known.
  std::optional<msg::ImageCopy> image_copy(const msg::HostId& id, const msg::NodeId& node_id) const;
  Overdue overdue(std::int64_t now_ms) const;

  bool has_reported(const msg::HostId& id) const;
  /// Since when the host says that a node is idle, under this placement; none if it does not.
  std::optional<std::int64_t> idle_since_unix_s(const msg::HostId& id, const msg::NodeId& node_id,
                                                std::uint64_t epoch) const;

  std::string boot_id(const msg::HostId& id) const;
  /// When the last heartbeat was received; `now_ms` if there was none.
  std::int64_t received_ms(const msg::HostId& id, std::int64_t now_ms) const;

  // Calls that bring grants to the host.
  void begin_call(const msg::HostId& id) { ++hosts_[id].calls; }
  void end_call(const msg::HostId& id);
  bool is_called(const msg::HostId& id) const;

 private:
  struct Host {
    std::string boot_id = {};
    std::int64_t received_ms = 0;  // of the last one, and of its answer: the lease runs from here
    int calls = 0;
    std::string release = {};
    std::string address = {};
    std::string metrics_address = {};
    std::int64_t clock_skew_ms = 0;
    std::int64_t checked_unix_s = 0;  // its isolation; 0 = not since its provisioner started
    struct Idle {
      std::uint64_t epoch = 0;
      std::int64_t since_unix_s = 0;
    };
    std::map<msg::NodeId, Idle> idle = {};
    std::map<msg::NodeId, msg::ImageCopy> image_copies = {};
  };

  const Config config_;
  std::map<msg::HostId, Host> hosts_ = {};
};

}  // namespace nucleus::scheduler

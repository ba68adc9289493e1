// What a host found out about the isolation of the clusters on it, and what follows for a cluster.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

/// `unchecked`: not checked within the last minute, or it could not be checked. `simulated`: there
/// is no switch to check.
NUCLEUS_ENUM(IsolationState, unchecked, verified, broken, simulated)

constexpr std::size_t isolation_faults_max = 100;
constexpr std::size_t isolation_reason_bytes_max = 256;
constexpr std::int64_t isolation_age_ms_max = 60'000;  // an older check counts as none

/// A difference between the leases and the switch.
struct IsolationFault {
  std::string port = {};        // of the switch; empty = the whole switch
  NodeId node_id = {};          // whose port it is; empty = of no node of this host
  ClusterId cluster_id = {};    // whose network it concerns; a fault of the whole switch is listed
                                // once for each cluster, and if there is none, without one
  std::string reason = {};      // 1..256 bytes, one line
  bool is_quarantined = false;  // the port neither sends nor receives
  NUCLEUS_FIELDS(port, node_id, cluster_id, reason, is_quarantined);

  friend bool operator==(const IsolationFault&, const IsolationFault&) = default;
};

/// The last check of a host. `unknown`: its provisioner is of a release that does not check.
struct HostIsolation {
  IsolationState state = IsolationState::unknown;
  std::string reason = {};                  // why it is not verified; 0..256 bytes
  std::int64_t checked_age_ms = -1;         // since the last complete check; -1 = there was none
  std::uint32_t port_count = 0;             // of nodes, in that check
  std::uint32_t fault_count = 0;            // all of them
  std::vector<IsolationFault> faults = {};  // the first 100
  NUCLEUS_FIELDS(state, reason, checked_age_ms, port_count, fault_count, faults);
};

inline std::optional<Error> check(const HostIsolation& isolation) {
  if (isolation.faults.size() > isolation_faults_max)
    return invalid("isolation", "isolation must have at most 100 faults");
  if (isolation.reason.size() > isolation_reason_bytes_max)
    return invalid("isolation", "a reason must be at most 256 bytes");
  for (const auto& fault : isolation.faults)
    if (fault.reason.size() > isolation_reason_bytes_max || fault.port.size() > 64)
      return invalid("isolation", "a reason must be at most 256 bytes, a port at most 64");
  return std::nullopt;
}

/// Checks the isolation of a host now, and puts right what the host can put right itself.
struct CheckIsolation {
  static constexpr std::string_view topic = "provisioner.check-isolation";
  using Reply = HostIsolation;
  HostId host_id = {};
  NUCLEUS_FIELDS(host_id);
};

/// The isolation of a cluster, as the hosts of its nodes report it. `unknown`: it has no node on a
/// host, or one of its hosts does not check.
struct ClusterIsolation {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  IsolationState state = IsolationState::unknown;
  std::string reason = {};          // why it is not verified
  std::int64_t since_unix_s = 0;    // verified or broken without a break since then; 0 = neither
  std::int64_t checked_unix_s = 0;  // the oldest of the last checks of its hosts; 0 = none. Not in
                                    // events
  std::vector<IsolationFault> faults = {};  // 0..100, of all its hosts
  NUCLEUS_FIELDS(cluster_id, project_id, state, reason, since_unix_s, checked_unix_s, faults);
};

struct ClusterIsolations {
  std::vector<ClusterIsolation> clusters = {};  // by cluster_id
  std::string next = {};                        // cursor of the next page; empty = the last page
  NUCLEUS_FIELDS(clusters, next);
};

/// The isolation of the clusters that the viewer may see.
struct ListIsolations {
  static constexpr std::string_view topic = "scheduler.list-isolations";
  using Reply = ClusterIsolations;
  Viewer viewer = {};
  ClusterId cluster_id = {};  // only this cluster's; empty = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, cluster_id, page);
};

/// Event: the isolation of a cluster broke, or holds again.
struct IsolationChanged {
  static constexpr std::string_view topic = "scheduler.isolation-changed";
  ClusterIsolation isolation = {};
  NUCLEUS_FIELDS(isolation);
};

}  // namespace nucleus::msg

// The scheduler's messages: hosts, computesets, placements, allocations.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(ComputesetState, created, submitted, running, ending, completed, failed, cancelled)
NUCLEUS_ENUM(PowerAction, poweron, poweroff, shutdown, reboot, reset)
NUCLEUS_ENUM(HostState, up, drained, unreachable, lost)

/// A node's state as its admin sees it. The names are those of the Comet REST API.
enum class NodeState : std::uint8_t {
  unknown,
  active,
  nostate,
  nostate_error,  // travels as `nostate-error`
  paused,
  shutdown,
  shutoff,
  crashed
};
constexpr std::string_view enum_list(NodeState) {
  return "unknown, active, nostate, nostate-error, paused, shutdown, shutoff, crashed";
}

/// What is known of a node: where it runs, and why it is not in the state that was requested.
struct NodeStatus {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  NodeState state = NodeState::unknown;
  std::string reason = {};         // why, where it is not what was wanted; empty else
  bool is_desired_on = false;      // what was asked for last
  HostId host_id = {};             // empty = on no host
  ComputesetId computeset_id = 0;  // the unfinished one that it is in; 0 = none
  ComputesetState computeset_state = ComputesetState::unknown;  // of that one
  std::vector<Port> ports = {};                                 // public one first
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, state, reason, is_desired_on, host_id,
                 computeset_id, computeset_state, ports);
};

struct Computeset {
  ComputesetId computeset_id = 0;
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::vector<NodeId> nodes = {};  // computes of that cluster
  ComputesetState state = ComputesetState::unknown;
  AllocationId allocation_id = {};  // who pays
  std::string reservation = {};     // as it was asked for
  std::int64_t walltime_mins = 0;   // it is ended so long after its start
  std::int64_t created_unix_s = 0;  // when it was accepted
  std::int64_t start_unix_s = 0;    // 0 = not started; set once, when charging starts
  std::int64_t end_unix_s = 0;      // 0 = not ended
  std::string reason = {};          // why it waits, or failed
  NUCLEUS_FIELDS(computeset_id, cluster_id, project_id, nodes, state, allocation_id, reservation,
                 walltime_mins, created_unix_s, start_unix_s, end_unix_s, reason);
};

constexpr std::int64_t walltime_default_mins = 2880;
constexpr std::int64_t walltime_mins_max = 525'600;

/// Starts compute nodes of one cluster together. Give `nodes`, or `count` and the scheduler picks
/// free ones.
struct StartComputeset {
  static constexpr std::string_view topic = "scheduler.start-computeset";
  using Reply = Computeset;
  ClusterId cluster_id = {};
  std::vector<NodeId> nodes = {};   // 0..4096, all computes of this cluster, none twice
  std::uint32_t count = 0;          // used where `nodes` is empty
  std::vector<HostId> hosts = {};   // empty, or one for each node
  AllocationId allocation_id = {};  // empty = the cluster's only one
  std::int64_t walltime_mins = 0;   // 0 = 2880; at most 525,600
  std::string reservation = {};
  NUCLEUS_FIELDS(cluster_id, nodes, count, hosts, allocation_id, walltime_mins, reservation);
};

inline std::optional<Error> check(const StartComputeset& request) {
  if (request.cluster_id.empty()) return invalid("cluster", "cluster is missing");
  if (request.nodes.size() > 4096) return invalid("computes", "more than 4096 nodes");
  if (!request.hosts.empty() && request.hosts.size() != request.nodes.size())
    return invalid("hosts", "hosts and computes must have the same length");
  if (request.walltime_mins < 0 || request.walltime_mins > walltime_mins_max)
    return invalid("walltime_mins", "walltime_mins must be 0 to 525600");
  if (!request.reservation.empty())
    return invalid("reservation", "reservations are not available yet");
  return std::nullopt;
}

/// Ends a computeset: shutdown (graceful) or poweroff; reboot and reset leave it running.
struct PowerComputeset {
  static constexpr std::string_view topic = "scheduler.power-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  PowerAction action = PowerAction::unknown;
  NUCLEUS_FIELDS(computeset_id, action);
};

/// Powers one node. A compute must be in a running computeset; a frontend needs none.
struct PowerNode {
  static constexpr std::string_view topic = "scheduler.power-node";
  using Reply = NodeStatus;
  NodeId node_id = {};
  PowerAction action = PowerAction::unknown;
  NUCLEUS_FIELDS(node_id, action);
};

struct Computesets {
  std::vector<Computeset> computesets = {};  // by id
  NUCLEUS_FIELDS(computesets);
};

/// The computesets of these projects (all with `is_operator`), in these states (all where empty);
/// one where id is said.
struct ListComputesets {
  static constexpr std::string_view topic = "scheduler.list-computesets";
  using Reply = Computesets;
  std::vector<ProjectId> projects = {};
  bool is_operator = false;
  std::vector<ComputesetState> states = {};
  ComputesetId computeset_id = 0;
  NUCLEUS_FIELDS(projects, is_operator, states, computeset_id);
};

struct NodeStatuses {
  std::vector<NodeStatus> nodes = {};
  NUCLEUS_FIELDS(nodes);
};

/// The states of a cluster's nodes; of every node where no cluster is said.
struct ListNodeStatuses {
  static constexpr std::string_view topic = "scheduler.list-node-statuses";
  using Reply = NodeStatuses;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

struct Host {
  HostId host_id = {};
  HostState state = HostState::unknown;
  std::string reason = {};                  // why it is not up
  std::uint32_t cpus = 0;                   // of the machine
  std::uint64_t memory_mb = 0;              // of the machine
  std::uint32_t cpus_used = 0;              // of the nodes placed there; may be more than `cpus`
  std::uint64_t memory_used_mb = 0;         // of the nodes placed there
  bool is_simulated = false;                // holds nodes in name alone
  std::string accelerator = {};             // kvm, tcg, none
  std::int64_t last_heartbeat_unix_ms = 0;  // its last heartbeat
  NUCLEUS_FIELDS(host_id, state, reason, cpus, memory_mb, cpus_used, memory_used_mb, is_simulated,
                 accelerator, last_heartbeat_unix_ms);
};

struct Hosts {
  std::vector<Host> hosts = {};
  NUCLEUS_FIELDS(hosts);
};

struct ListHosts {
  static constexpr std::string_view topic = "scheduler.list-hosts";
  using Reply = Hosts;
  NUCLEUS_NO_FIELDS()
};

struct HostLease {
  std::int64_t lease_ms = 0;   // the host's domains may run this long without another answer
  std::uint64_t revision = 0;  // the host's newest grants
  NUCLEUS_FIELDS(lease_ms, revision);
};

/// A host's heartbeat, each second and whenever its state changes. The answer renews the host's
/// lease.
struct ReportHost {
  static constexpr std::string_view topic = "scheduler.report-host";
  using Reply = HostLease;
  HostId host_id = {};
  std::string process = {};  // on the bus, where its grants go: provisioner/HOST; one may have many
                             // simulated hosts
  std::string boot_id = {};  // of the provisioner's process: another one = it has restarted
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  bool is_simulated = false;
  std::string accelerator = {};
  bool is_reachable = true;    // its hypervisor answers
  std::string reason = {};     // where it does not: why
  std::uint64_t revision = 0;  // of the last grants applied; 0 = none since the start
  NUCLEUS_FIELDS(host_id, process, boot_id, cpus, memory_mb, is_simulated, accelerator,
                 is_reachable, reason, revision);
};

struct DrainHost {
  static constexpr std::string_view topic = "scheduler.drain-host";
  using Reply = Done;
  HostId host_id = {};
  bool is_drained = true;  // false = resume
  std::string reason = {};
  NUCLEUS_FIELDS(host_id, is_drained, reason);
};

struct Allocation {
  AllocationId allocation_id = {};
  ProjectId project_id = {};
  std::int64_t limit_core_s = 0;  // 0 = no limit
  std::int64_t used_core_s = 0;
  NUCLEUS_FIELDS(allocation_id, project_id, limit_core_s, used_core_s);
};

/// Makes or changes an allocation; what is used stays.
struct DefineAllocation {
  static constexpr std::string_view topic = "scheduler.define-allocation";
  using Reply = Allocation;
  AllocationId allocation_id = {};
  ProjectId project_id = {};
  std::int64_t limit_core_s = 0;
  NUCLEUS_FIELDS(allocation_id, project_id, limit_core_s);
};

struct Allocations {
  std::vector<Allocation> allocations = {};
  NUCLEUS_FIELDS(allocations);
};

struct ListAllocations {
  static constexpr std::string_view topic = "scheduler.list-allocations";
  using Reply = Allocations;
  NUCLEUS_NO_FIELDS()
};

/// What one computeset was charged.
struct UsageEntry {
  ComputesetId computeset_id = 0;
  ProjectId project_id = {};
  ClusterId cluster_id = {};
  AllocationId allocation_id = {};
  std::uint32_t node_count = 0;
  std::uint64_t cores = 0;        // of all its nodes
  std::int64_t start_unix_s = 0;  // charged from here
  std::int64_t end_unix_s = 0;    // to here; 0 = it still runs
  std::int64_t used_core_s = 0;   // cores times seconds; up to now where it runs
  NUCLEUS_FIELDS(computeset_id, project_id, cluster_id, allocation_id, node_count, cores,
                 start_unix_s, end_unix_s, used_core_s);
};

struct Usage {
  std::vector<UsageEntry> entries = {};  // by computeset, at most 1000
  bool is_more = false;                  // ask again with `after`
  NUCLEUS_FIELDS(entries, is_more);
};

/// What computesets of these projects (all with `is_operator`) were charged, of those that ran at
/// any moment from `from_unix_s` until before `to_unix_s` (0 = no bound).
struct ListUsage {
  static constexpr std::string_view topic = "scheduler.list-usage";
  using Reply = Usage;
  std::vector<ProjectId> projects = {};
  bool is_operator = false;
  AllocationId allocation_id = {};  // empty = of every allocation
  std::int64_t from_unix_s = 0;
  std::int64_t to_unix_s = 0;
  ComputesetId after = 0;
  NUCLEUS_FIELDS(projects, is_operator, allocation_id, from_unix_s, to_unix_s, after);
};

/// Event: a computeset is in another state; the whole new one.
struct ComputesetChanged {
  static constexpr std::string_view topic = "scheduler.computeset-changed";
  Computeset computeset = {};
  NUCLEUS_FIELDS(computeset);
};

/// Event: a node's state, host or computeset changed.
struct NodeChanged {
  static constexpr std::string_view topic = "scheduler.node-changed";
  NodeStatus node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a host came, went, was drained or resumed.
struct HostChanged {
  static constexpr std::string_view topic = "scheduler.host-changed";
  Host host = {};
  NUCLEUS_FIELDS(host);
};

}  // namespace nucleus::msg

// The scheduler's messages: hosts, computesets, placements. Allocations: messages/allocations.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/fabrics.hpp"
#include "messages/image_copies.hpp"
#include "messages/isolation.hpp"
#include "messages/provisioner.hpp"
#include "messages/text.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(ComputesetState, created, submitted, running, ending, completed, failed, cancelled,
             hibernating, hibernated)
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

/// A node's state: where it runs, and why it is not in the state that was requested.
struct NodeStatus {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  NodeState state = NodeState::unknown;
  std::string reason = {};         // why it is not as desired; empty if it is
  bool is_desired_on = false;      // the desired state, as last requested
  HostId host_id = {};             // empty = on no host
  ComputesetId computeset_id = 0;  // the unfinished one that it is in; 0 = none
  ComputesetState computeset_state = ComputesetState::unknown;  // of that one
  std::vector<Port> ports = {};                                 // public one first
  std::vector<LeasedAdapter> adapters = {};                     // while it is placed
  std::uint64_t saved_memory_bytes = 0;  // it is hibernated, and resumes with this; 0 = it boots
  std::optional<ImageCopy> image_copy = {};  // in replies: while it is not complete
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, state, reason, is_desired_on, host_id,
                 computeset_id, computeset_state, ports, adapters, saved_memory_bytes, image_copy);
};

/// What a node is charged, in thousandths of a service unit (SU) an hour. 3600 core-seconds of an
/// allocation are one SU.
struct Price {
  std::int64_t core_milli_su = 1000;  // for each core: 0..100,000
  std::int64_t gib_milli_su = 0;      // for each GiB of memory: 0..100,000
  NUCLEUS_FIELDS(core_milli_su, gib_milli_su);

  friend bool operator==(const Price&, const Price&) = default;
};

constexpr std::int64_t price_milli_su_max = 100'000;

/// The class of hosts that have no other.
constexpr std::string_view host_class_default = "default";

struct Computeset {
  ComputesetId computeset_id = 0;
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::vector<NodeId> nodes = {};  // computes of that cluster
  ComputesetState state = ComputesetState::unknown;
  AllocationId allocation_id = {};          // who pays
  std::string reservation = {};             // as requested; empty = none
  std::int64_t walltime_mins = 0;           // it is ended this long after its start
  std::int64_t created_unix_s = 0;          // when it was accepted
  std::int64_t start_unix_s = 0;            // 0 = not started; set once, when charging starts
  std::int64_t end_unix_s = 0;              // 0 = not ended
  std::string reason = {};                  // why it waits, changed its nodes, or ended
  std::int64_t predicted_start_unix_s = 0;  // of the first that waits for room: not later than
                                            // this, as things are; 0 = not known
  PersonId person_id = {};                  // who asked for it; empty = a program of the head
  std::string on_behalf_of = {};            // user of a science gateway that it is attributed to
  std::uint32_t node_count_min = 0;  // it starts with as many of its nodes as fit, at least so
                                     // many; 0 = with all
  std::string batch_job = {};        // id of the batch job that holds its hosts; empty = none
  std::string host_class = std::string(host_class_default);  // of all its hosts
  std::int64_t idle_since_unix_s =
      0;  // all its nodes do nothing since then; 0 = not, or not so long
  std::int64_t hibernated_unix_s = 0;  // its hosts are free since then; 0 = it is not hibernated
  std::int64_t hibernated_s = 0;  // of earlier hibernations, all together: its walltime ends so
                                  // much later
  NUCLEUS_FIELDS(computeset_id, cluster_id, project_id, nodes, state, allocation_id, reservation,
                 walltime_mins, created_unix_s, start_unix_s, end_unix_s, reason,
                 predicted_start_unix_s, person_id, on_behalf_of, node_count_min, batch_job,
                 host_class, idle_since_unix_s, hibernated_unix_s, hibernated_s);
};

constexpr std::int64_t walltime_default_mins = 2880;
constexpr std::int64_t walltime_mins_max = 525'600;
constexpr std::size_t computeset_nodes_max = 4096;

/// Starts compute nodes of one cluster together: those in `nodes` or `names`, or the first `count`
/// free ones. A cluster that the viewer does not see is `not_found`, like one that does not exist.
struct StartComputeset {
  static constexpr std::string_view topic = "scheduler.start-computeset";
  using Reply = Computeset;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::vector<NodeId> nodes = {};       // 0..4096, all computes of this cluster, none twice
  std::vector<std::string> names = {};  // the same by name; not both
  std::uint32_t count = 0;              // used if neither is given
  std::vector<HostId> hosts = {};       // empty, or one for each node
  AllocationId allocation_id = {};      // empty = the cluster's only one
  std::int64_t walltime_mins = 0;       // 0 = 2880, or up to its reservation's end; at most 525,600
  std::string reservation = {};         // of its project: it runs there only, and not longer
  PersonId person_id = {};              // who asks; kept with the computeset
  std::string on_behalf_of = {};        // 0..64 bytes, one line; see Computeset
  std::uint32_t node_count_min = 0;     // at most the number of its nodes; see Computeset
  std::string host_class = {};          // of its hosts; empty = `default`
  NUCLEUS_FIELDS(cluster_id, viewer, nodes, names, count, hosts, allocation_id, walltime_mins,
                 reservation, person_id, on_behalf_of, node_count_min, host_class);
};

inline std::optional<Error> check(const StartComputeset& request) {
  if (request.cluster_id.empty()) return invalid("cluster", "cluster is missing");
  const auto node_count = request.nodes.size() + request.names.size();
  if (node_count > computeset_nodes_max)
    return invalid(request.names.empty() ? "nodes" : "names", "more than 4096 nodes");
  if (!request.nodes.empty() && !request.names.empty())
    return invalid("names", "nodes must be given by id or by name, not both");
  if (!request.hosts.empty() && request.hosts.size() != node_count)
    return invalid("hosts", "hosts and computes must have the same length");
  if (request.node_count_min > (node_count == 0 ? request.count : node_count))
    return invalid("node_count_min", "node_count_min must be at most the number of nodes");
  if (request.walltime_mins < 0 || request.walltime_mins > walltime_mins_max)
    return invalid("walltime_mins", "walltime_mins must be 0 to 525600");
  if (auto broken = check_line("on_behalf_of", request.on_behalf_of, 64)) return broken;
  if (!request.host_class.empty())
    if (auto broken = check_name("host_class", request.host_class)) return broken;
  if (!request.reservation.empty()) return check_name("reservation", request.reservation);
  return std::nullopt;
}

/// Ends a computeset: shutdown (graceful) or poweroff; reboot and reset leave it running. One that
/// the viewer does not see is `not_found`.
struct PowerComputeset {
  static constexpr std::string_view topic = "scheduler.power-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  PowerAction action = PowerAction::unknown;
  NUCLEUS_FIELDS(computeset_id, viewer, action);
};

/// Changes the walltime of a computeset that waits or runs. One that the viewer does not see is
/// `not_found`.
struct ChangeWalltime {
  static constexpr std::string_view topic = "scheduler.change-walltime";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  std::int64_t walltime_mins = 0;  // 1..525,600, from its start
  NUCLEUS_FIELDS(computeset_id, viewer, walltime_mins);
};

inline std::optional<Error> check(const ChangeWalltime& request) {
  if (request.walltime_mins >= 1 && request.walltime_mins <= walltime_mins_max) return std::nullopt;
  return invalid("walltime_mins", "walltime_mins must be 1 to 525600");
}

/// Adds compute nodes of its cluster to a running computeset: those in `names`, or the first
/// `count` free ones. They start at once, or it is refused. One that the viewer does not see is
/// `not_found`.
struct GrowComputeset {
  static constexpr std::string_view topic = "scheduler.grow-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  std::vector<std::string> names = {};  // 0..4096, in no computeset, none twice
  std::uint32_t count = 0;              // used if no names are given
  NUCLEUS_FIELDS(computeset_id, viewer, names, count);
};

inline std::optional<Error> check(const GrowComputeset& request) {
  if (request.names.size() > computeset_nodes_max) return invalid("names", "more than 4096 nodes");
  if (request.count > computeset_nodes_max) return invalid("count", "more than 4096 nodes");
  if (!request.names.empty() && request.count > 0)
    return invalid("count", "nodes must be given by name or by count, not both");
  return std::nullopt;
}

/// Stops nodes of a running computeset. Each leaves it as soon as it is off; without nodes it ends.
/// One that the viewer does not see is `not_found`.
struct ShrinkComputeset {
  static constexpr std::string_view topic = "scheduler.shrink-computeset";
  using Reply = Computeset;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  std::vector<std::string> names = {};        // 1..4096 of its nodes, none twice
  PowerAction action = PowerAction::unknown;  // shutdown or poweroff
  NUCLEUS_FIELDS(computeset_id, viewer, names, action);
};

inline std::optional<Error> check(const ShrinkComputeset& request) {
  if (request.names.empty() || request.names.size() > computeset_nodes_max)
    return invalid("names", "names must have 1 to 4096 nodes");
  if (request.action != PowerAction::shutdown && request.action != PowerAction::poweroff)
    return invalid("action", "action must be shutdown or poweroff");
  return std::nullopt;
}

/// Powers one node. A compute must be in a running computeset; a frontend needs none. A node that
/// the viewer does not see is `not_found`, like one that does not exist.
struct PowerNode {
  static constexpr std::string_view topic = "scheduler.power-node";
  using Reply = NodeStatus;
  NodeRef node = {};
  Viewer viewer = {};
  PowerAction action = PowerAction::unknown;
  NUCLEUS_FIELDS(node, viewer, action);
};

/// Powers several nodes of a cluster, as PowerNode does, or none of them.
struct PowerNodes {
  static constexpr std::string_view topic = "scheduler.power-nodes";
  using Reply = Done;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::vector<std::string> nodes = {};  // 1..4097 names, each once
  PowerAction action = PowerAction::unknown;
  NUCLEUS_FIELDS(cluster_id, viewer, nodes, action);
};

inline std::optional<Error> check(const PowerNodes& request) {
  if (request.cluster_id.empty()) return invalid("cluster_id", "cluster_id must be set");
  if (request.nodes.empty() || request.nodes.size() > 4097)
    return invalid("nodes", "nodes must have 1 to 4097 names");
  return std::nullopt;
}

struct Computesets {
  std::vector<Computeset> computesets = {};  // by id
  std::string next = {};                     // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(computesets, next);
};

/// The computesets that the viewer sees and all given filters fit.
struct ListComputesets {
  static constexpr std::string_view topic = "scheduler.list-computesets";
  using Reply = Computesets;
  Viewer viewer = {};
  std::vector<ComputesetState> states = {};  // empty = all
  ClusterId cluster_id = {};                 // empty = of every cluster
  ComputesetId computeset_id = 0;            // only this one, `not_found` if there is none; 0 = all
  std::int64_t from_unix_s = 0;              // those that had not ended before this; 0 = no bound
  std::int64_t to_unix_s = 0;                // those accepted before this; 0 = no bound
  Page page = {};
  NUCLEUS_FIELDS(viewer, states, cluster_id, computeset_id, from_unix_s, to_unix_s, page);
};

struct NodeStatuses {
  std::vector<NodeStatus> nodes = {};  // by cluster, then by index: the frontend first
  std::string next = {};               // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(nodes, next);
};

/// The states of the nodes that the viewer sees, of all clusters or of one.
struct ListNodeStatuses {
  static constexpr std::string_view topic = "scheduler.list-node-statuses";
  using Reply = NodeStatuses;
  Viewer viewer = {};
  ClusterId cluster_id = {};  // empty = all clusters
  std::string name = {};      // if set, this node of the cluster alone, or `not_found`
  Page page = {};  // `after` is an index, or CLUSTER/INDEX in a list of all clusters' nodes
  NUCLEUS_FIELDS(viewer, cluster_id, name, page);
};

struct Host {
  HostId host_id = {};
  HostState state = HostState::unknown;
  std::string reason = {};                  // why it is not up, or other hosts are tried first
  std::uint32_t cpus = 0;                   // of the machine
  std::uint64_t memory_mb = 0;              // of the machine
  std::uint32_t cpus_used = 0;              // of the nodes placed there; may be more than `cpus`
  std::uint64_t memory_used_mb = 0;         // of the nodes placed there
  std::string driver = {};                  // of its provisioner: libvirt, simulated
  std::string accelerator = {};             // kvm, tcg, none; empty until it is known
  std::int64_t last_heartbeat_unix_ms = 0;  // its last heartbeat
  std::uint32_t node_count = 0;             // of the nodes placed there
  // As in its last heartbeat, and only in lists: not in events.
  std::string release = {};        // of its provisioner
  std::string address = {};        // on its connection to the head; empty = the head's machine
  std::int64_t clock_skew_ms = 0;  // by how much its clock is ahead of the head's
  std::string batch_state = {};    // of the batch system's node of its name, as that system writes
                                   // it; empty = it has none
  std::string host_class = std::string(host_class_default);
  std::string rack = {};                               // empty = not known
  IsolationState isolation = IsolationState::unknown;  // unchecked and broken: no node is placed
  std::string isolation_reason = {};                   // why it is not verified
  std::int64_t isolation_since_unix_s = 0;             // when it became what it is
  std::int64_t isolation_checked_unix_s = 0;           // the last complete check; only in lists
  std::string metrics_address = {};  // ADDRESS:PORT of its /metrics; empty = not served to others;
                                     // only in lists
  std::string profile = {};          // of its domains: standard, hpc; empty until it is known
  std::string profile_reason = {};   // why the host cannot give it; empty = it can
  std::vector<Adapter> adapters = {};  // that nodes can be given, by PCI address
  std::string adapters_reason = {};    // why some are not among them; empty = none is missing
  NUCLEUS_FIELDS(host_id, state, reason, cpus, memory_mb, cpus_used, memory_used_mb, driver,
                 accelerator, last_heartbeat_unix_ms, node_count, release, address, clock_skew_ms,
                 batch_state, host_class, rack, isolation, isolation_reason, isolation_since_unix_s,
                 isolation_checked_unix_s, metrics_address, profile, profile_reason, adapters,
                 adapters_reason);
};

struct Hosts {
  std::vector<Host> hosts = {};  // by id
  std::string next = {};         // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(hosts, next);
};

struct ListHosts {
  static constexpr std::string_view topic = "scheduler.list-hosts";
  using Reply = Hosts;
  HostId host_id = {};                 // empty = all
  std::vector<HostState> states = {};  // empty = all
  Page page = {};
  NUCLEUS_FIELDS(host_id, states, page);
};

struct HostLease {
  std::int64_t lease_ms = 0;     // the host's domains may run this long without another reply
  std::uint64_t revision = 0;    // the host's newest grants
  bool must_report_all = false;  // reports were lost with the scheduler's records: the provisioner
                                 // reports the state of every domain again
  std::int64_t unix_ms = 0;      // the scheduler's clock: the host's own may differ
  NUCLEUS_FIELDS(lease_ms, revision, must_report_all, unix_ms);
};

/// A node that has hardly used its processors, disks and ports for a minute or longer.
struct IdleNode {
  NodeId node_id = {};
  std::uint64_t epoch = 0;  // of its placement
  std::int64_t idle_s = 0;
  NUCLEUS_FIELDS(node_id, epoch, idle_s);
};

constexpr std::size_t idle_nodes_max = 1000;  // of one host, in a heartbeat
constexpr std::size_t host_reason_bytes_max = 1024;
constexpr std::uint64_t host_memory_mb_max = 1ULL << 30;

/// A host's heartbeat, each second and whenever its state changes. The reply renews the host's
/// lease.
struct ReportHost {
  static constexpr std::string_view topic = "scheduler.report-host";
  using Reply = HostLease;
  HostId host_id = {};
  std::string process = {};  // its provisioner on the bus, to which its grants are sent:
                             // provisioner/HOST, or one for many simulated hosts
  std::string boot_id = {};  // of the provisioner's process: another one = it has restarted
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;   // at most 2^30; like `cpus`, what its nodes can have
  std::string driver = {};       // libvirt, simulated; this and the other texts: 0..64 bytes
  std::string accelerator = {};  // kvm, tcg, none; empty while it is being probed
  bool is_reachable = true;      // its hypervisor answers and its accelerator is known
  std::string reason = {};       // if not reachable: why; 0..1024 bytes
  std::uint64_t revision = 0;    // of the last grants applied; 0 = none since the start
  std::string log_id = {};       // of the provisioner's reports: see ReportDomains
  std::uint64_t reported = 0;    // the newest report that the scheduler has acknowledged
  std::string release = {};      // of the provisioner's program
  std::string address = {};      // of the host on its connection to the head; empty = same machine
  std::int64_t unix_ms = 0;      // the host's clock
  std::string machine_id = {};   // of the machine, kept beside its lease: 0..64 bytes
  bool keeps_volumes = false;    // disks of its nodes are its own files: they are on no other host
  std::vector<IdleNode> idle_nodes = {};  // 0..1000
  HostIsolation isolation = {};
  std::string metrics_address = {};    // ADDRESS:PORT of its /metrics; empty = not served to others
  std::string profile = {};            // of its domains: standard, hpc
  std::string profile_reason = {};     // why the host cannot give it; empty = it can; 0..1024 bytes
  std::vector<Adapter> adapters = {};  // 0..64; that nodes can be given, by PCI address
  std::string adapters_reason = {};    // why some are not among them: 0..1024 bytes
  std::vector<ImageCopy> image_copies = {};  // 0..1000; of running nodes, those not complete
  NUCLEUS_FIELDS(host_id, process, boot_id, cpus, memory_mb, driver, accelerator, is_reachable,
                 reason, revision, log_id, reported, release, address, unix_ms, machine_id,
                 keeps_volumes, idle_nodes, isolation, metrics_address, profile, profile_reason,
                 adapters, adapters_reason, image_copies);
};

/// The newest report of the provisioner that the scheduler has recorded.
struct DomainsReported {
  std::uint64_t number = 0;
  NUCLEUS_FIELDS(number);
};

constexpr std::size_t domain_changes_max = 1000;
constexpr std::size_t domain_reason_bytes_max = 1024;

/// What a provisioner observed of its domains, in order. Each change has a number, dense within
/// `log_id`, and takes effect once however often it is sent. The scheduler emits those that concern
/// a grant in force; the rest is ignored.
struct ReportDomains {
  static constexpr std::string_view topic = "scheduler.report-domains";
  using Reply = DomainsReported;
  std::string process = {};        // the provisioner's name on the bus; it must be the sender
  std::string log_id = {};         // of its journal: another one = its numbers begin again
  std::uint64_t first_number = 0;  // of the first change; 1..2^62
  std::vector<DomainChanged> changes = {};  // 1..1000; project and cluster are not used
  NUCLEUS_FIELDS(process, log_id, first_number, changes);
};

inline std::optional<Error> check(const ReportDomains& report) {
  if (auto broken = check_name("log_id", report.log_id)) return broken;
  if (report.first_number < 1 || report.first_number > std::uint64_t{1} << 62)
    return invalid("first_number", "first_number must be 1 to 2^62");
  if (report.changes.empty() || report.changes.size() > domain_changes_max)
    return invalid("changes", "changes must have 1 to 1000 entries");
  for (const auto& change : report.changes)
    if (change.reason.size() > domain_reason_bytes_max)
      return invalid("changes", "a reason must be at most 1024 bytes");
  return std::nullopt;
}

struct DrainHost {
  static constexpr std::string_view topic = "scheduler.drain-host";
  using Reply = Done;
  HostId host_id = {};
  bool is_drained = true;   // false = resume
  std::string reason = {};  // 0..256 bytes; empty = keep the reason of a host that is drained
                            // already
  NUCLEUS_FIELDS(host_id, is_drained, reason);
};

/// Forgets a host. `wrong_state` while nodes are placed there; `conflict` while it counts as up,
/// since its next heartbeat would add it again.
struct RemoveHost {
  static constexpr std::string_view topic = "scheduler.remove-host";
  using Reply = Done;
  HostId host_id = {};
  NUCLEUS_FIELDS(host_id);
};

/// Event: a host was removed.
struct HostRemoved {
  static constexpr std::string_view topic = "scheduler.host-removed";
  HostId host_id = {};
  NUCLEUS_FIELDS(host_id);
};

/// Event: a computeset changed; the whole new one.
struct ComputesetChanged {
  static constexpr std::string_view topic = "scheduler.computeset-changed";
  Computeset computeset = {};
  NUCLEUS_FIELDS(computeset);
};

/// Event, once: a running computeset ends soon, by its walltime, its reservation or its allocation.
struct WalltimeNotice {
  static constexpr std::string_view topic = "scheduler.walltime-notice";
  Computeset computeset = {};
  std::int64_t end_unix_s = 0;
  NUCLEUS_FIELDS(computeset, end_unix_s);
};

/// Event, once for each time that it is idle: all nodes of a running computeset have done nothing
/// for a while, and are charged.
struct ComputesetIdle {
  static constexpr std::string_view topic = "scheduler.computeset-idle";
  Computeset computeset = {};
  NUCLEUS_FIELDS(computeset);
};

/// Event: a node's state, host or computeset changed.
struct NodeChanged {
  static constexpr std::string_view topic = "scheduler.node-changed";
  NodeStatus node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a host's state, size or drain changed.
struct HostChanged {
  static constexpr std::string_view topic = "scheduler.host-changed";
  Host host = {};
  NUCLEUS_FIELDS(host);
};

}  // namespace nucleus::msg

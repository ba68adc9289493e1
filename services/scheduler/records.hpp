// What the scheduler stores; private to this room.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "messages/allocations.hpp"
#include "messages/disks.hpp"
#include "messages/registry.hpp"
#include "messages/reservations.hpp"
#include "messages/scheduler.hpp"
#include "services/scheduler/charge.hpp"
#include "services/scheduler/resources.hpp"

namespace nucleus::scheduler {

/// A cluster as the registry defined it.
struct StoredCluster {
  msg::Cluster cluster = {};
  bool is_isolation_broken = false;         // a host reports a fault of its network
  std::int64_t isolation_since_unix_s = 0;  // when that changed; 0 = it was never broken
  NUCLEUS_FIELDS(cluster, is_isolation_broken, isolation_since_unix_s);
};

/// Why a node or a computeset waits; `unknown` = it does not wait.
NUCLEUS_ENUM(WaitReason, ports, volume, still_running, next_pass, no_room, no_room_for_all,
             too_large, too_large_for_all, no_host_up, all_hosts_drained, named_host_closed,
             named_host_full, disk, reserved, reservation_planned, reservation_full,
             reservation_begins, behind, batch_hosts, job_missing, job_pending, job_full,
             start_failed, hosts_in_doubt, disk_work, no_adapters, memory)

struct Wait {
  WaitReason reason = WaitReason::unknown;
  std::string subject = {};  // the node, host, reservation, computeset or batch job that it waits
                             // for; empty = the node itself, or any
  std::string detail = {};   // ports, volume: the reason given by the network or the image store;
                             // disk, memory: its host, and why the node cannot run there now;
                             // disk_work: what is done with its disk; room for
                             // all: how many nodes must fit, if not all; job_missing,
                             // job_pending: the batch system's reason; start_failed: why it
                             // failed, or why the node stays on its host
  std::string host_class = {};  // of the hosts that it is about; empty = of any, or of `default`
  NUCLEUS_FIELDS(reason, subject, detail, host_class);

  friend bool operator==(const Wait&, const Wait&) = default;
};

/// A host that could not start a node.
struct StoredStartFailure {
  std::int64_t unix_s = 0;
  std::uint64_t epoch = 0;  // of the placement
  msg::HostId host_id = {};
  std::string reason = {};  // the newest
  NUCLEUS_FIELDS(unix_s, epoch, host_id, reason);
};

/// The memory of a node, saved by a host when its computeset was hibernated. Only that host can
/// start the node with it, once.
struct StoredMemory {
  std::string hibernation_id = {};
  msg::HostId host_id = {};  // empty = none is saved
  std::uint64_t bytes = 0;
  NUCLEUS_FIELDS(hibernation_id, host_id, bytes);
};

/// A node: its definition, its ports and volume, the desired state, its placement, and the state
/// observed there.
struct StoredNode {
  msg::Node definition = {};
  std::vector<msg::Port> ports = {};
  std::string ports_reason = {};  // why there are none
  msg::Volume volume = {};
  bool is_volume_ready = false;
  std::string volume_reason = {};                  // why it is not ready
  std::optional<msg::ImageId> volume_iso_id = {};  // that the volume's state is about; see
                                                   // VolumePlaced

  bool is_desired_on = false;
  msg::ComputesetId computeset_id = 0;  // the unfinished one that it is in; 0 = none
  bool is_removed = false;              // removed by its owner: the record goes when it is off
  Resources size = {};                  // that it is placed with: the definition's, when its
                                        // power-on or its computeset was accepted

  msg::HostId host_id = {};    // where it is placed; empty = nowhere
  std::uint64_t epoch = 0;     // of its last placement
  std::uint64_t revision = 0;  // of the host's grants, when this one last changed
  bool is_grant_on = false;    // the placement is meant to run; otherwise it is being stopped
  bool is_graceful = false;
  std::int64_t stop_by_unix_ms = 0;
  std::uint64_t reboots = 0;
  std::uint64_t resets = 0;
  std::int64_t placed_unix_s = 0;   // when its last placement began
  std::int64_t running_unix_s = 0;  // when its domain was first seen to run there; 0 = not yet
  std::int64_t off_unix_s = 0;      // when its last placement ended
  msg::HostId disk_host_id = {};  // that keeps its disk; empty = none: it was never placed, has no
                                  // disk, or has it in the image store
  bool is_disk_fresh = false;     // no guest has used its disk: it may be made again elsewhere
  std::vector<msg::HostId> spare_disk_hosts = {};  // that made a disk which no guest used
  std::vector<StoredStartFailure> start_failures =
      {};  // since its power-on, oldest first; at most `scheduler.start_attempts_max`

  msg::DomainState observed = msg::DomainState::unknown;  // unknown = it never ran
  std::string observed_reason = {};
  Wait wait = {};                                  // of a node that is desired on and not placed,
                                                   // or leaves its host for another, or cannot
                                                   // be started there
  msg::NodeState state = msg::NodeState::unknown;  // as last emitted
  std::string reason = {};                         // as last emitted
  bool is_leaving = false;       // it is being stopped, and leaves its computeset when it is off
  bool is_preparing = false;     // observed absent, but nothing failed: its host waits
  msg::DiskContent disk = {};    // as the image store reported it last
  msg::DiskWork disk_work = {};  // under way, or ended last
  bool is_save_due = false;      // its disk is to be saved because it went off
  std::vector<msg::FabricLease> fabrics = {};     // that it needs an adapter on
  std::vector<msg::LeasedAdapter> adapters = {};  // of its placement
  bool has_joined = false;                        // their ports are members of its partitions
  std::string joining_reason = {};                // why they are not
  std::int64_t save_begun_unix_s = 0;             // when its disk was last begun to be saved
  std::string hibernation_id = {};                // of its placement's grant: see msg::Grant
  StoredMemory memory = {};                       // until the node runs again, or is stopped
  NUCLEUS_FIELDS(definition, ports, ports_reason, volume, is_volume_ready, volume_reason,
                 volume_iso_id, is_desired_on, computeset_id, is_removed, size, host_id, epoch,
                 revision, is_grant_on, is_graceful, stop_by_unix_ms, reboots, resets,
                 placed_unix_s, running_unix_s, off_unix_s, disk_host_id, is_disk_fresh,
                 spare_disk_hosts, start_failures, observed, observed_reason, wait, state, reason,
                 is_leaving, is_preparing, disk, disk_work, is_save_due, fabrics, adapters,
                 has_joined, joining_reason, save_begun_unix_s, hibernation_id, memory);
};

/// A removed node whose disk its host has not deleted yet.
struct StoredRemovedDisk {
  msg::NodeId node_id = {};
  msg::HostId host_id = {};                      // empty = it has deleted it
  std::vector<msg::HostId> spare_host_ids = {};  // that may have one which no guest used
  NUCLEUS_FIELDS(node_id, host_id, spare_host_ids);
};

/// A project as the registry defined it.
struct StoredProject {
  msg::ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

/// A project whose nodes must not be powered on, because an acknowledgement is missing.
struct StoredUnacknowledged {
  msg::ProjectId project_id = {};
  std::string reason = {};
  NUCLEUS_FIELDS(project_id, reason);
};

/// An adapter of a host that a placement has, or had: until its port has left its partitions, no
/// other placement can have it.
struct StoredAdapterUse {
  msg::Adapter adapter = {};  // the host may not report it meanwhile: it has no driver there
  msg::NodeId node_id = {};
  std::uint64_t epoch = 0;  // of the placement
  bool is_leaving = false;  // the placement has ended
  NUCLEUS_FIELDS(adapter, node_id, epoch, is_leaving);

  friend bool operator==(const StoredAdapterUse&, const StoredAdapterUse&) = default;
};

/// A host. Heartbeats stay in memory.
struct StoredHost {
  msg::HostId host_id = {};
  std::string process = {};  // the provisioner that its grants are sent to
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  std::string driver = {};
  std::string accelerator = {};
  bool is_drained = false;
  std::string drain_reason = {};
  msg::HostState state = msg::HostState::unknown;  // up, unreachable or lost; a host that is up and
                                                   // drained is reported as drained
  std::string reason = {};                         // why it is not up
  std::uint64_t revision = 1;                      // of its grants: one more with each change
  std::string machine_id = {};                     // that reported it last
  bool keeps_volumes = false;                      // its nodes' disks are its own files
  std::string batch_state = {};   // of the batch system's node of its name; empty = it has none
  std::string batch_reason = {};  // why that takes no jobs
  msg::ComputesetId job_computeset_id = 0;  // whose batch job has it; 0 = none of this deployment
  std::uint32_t start_failures = 0;         // placements in a row whose domain could not be started
  std::string start_failure = {};           // why, of the newest
  std::string host_class = std::string(msg::host_class_default);
  std::string rack = {};  // empty = not known
  msg::IsolationState isolation = msg::IsolationState::unknown;
  std::string isolation_reason = {};                       // why it is not verified
  std::int64_t isolation_since_unix_s = 0;                 // when it became what it is
  std::vector<msg::IsolationFault> isolation_faults = {};  // 0..100
  std::string profile = {};
  std::string profile_reason = {};  // why the host cannot give it
  std::vector<msg::Adapter> adapters = {};
  std::string adapters_reason = {};  // why some are not among them
  std::vector<StoredAdapterUse> adapter_uses = {};
  NUCLEUS_FIELDS(host_id, process, cpus, memory_mb, driver, accelerator, is_drained, drain_reason,
                 state, reason, revision, machine_id, keeps_volumes, batch_state, batch_reason,
                 job_computeset_id, start_failures, start_failure, host_class, rack, isolation,
                 isolation_reason, isolation_since_unix_s, isolation_faults, profile,
                 profile_reason, adapters, adapters_reason, adapter_uses);
};

constexpr std::uint32_t start_failures_max = 2;  // in a row: a host is suspect from then on

/// Several starts in a row have failed there: other hosts are tried first.
inline bool is_suspect(const StoredHost& host) {
  return host.start_failures >= start_failures_max;
}

/// A class that an operator defined; `default` has no record unless its price was changed.
struct StoredHostClass {
  std::string name = {};
  msg::Price price = {};
  NUCLEUS_FIELDS(name, price);
};

/// A state and its reason, from a time on.
struct StoredStep {
  std::int64_t unix_s = 0;
  msg::ComputesetState state = msg::ComputesetState::unknown;
  std::string reason = {};
  NUCLEUS_FIELDS(unix_s, state, reason);
};

constexpr std::size_t steps_max = 32;  // that are kept of a computeset

/// When a computeset that had to wait was expected to start, as of its acceptance.
struct StoredEstimate {
  std::int64_t expected_unix_s = 0;  // if every walltime runs out; 0 = none was made
  std::int64_t earliest_unix_s = 0;  // of the interval; both 0 = too few waits were known
  std::int64_t latest_unix_s = 0;
  NUCLEUS_FIELDS(expected_unix_s, earliest_unix_s, latest_unix_s);
};

/// A wait that was estimated and is over.
struct StoredWait {
  std::int64_t expected_s = 0;
  std::int64_t actual_s = 0;
  bool had_interval = false;
  bool is_within = false;  // it was over within that interval
  NUCLEUS_FIELDS(expected_s, actual_s, had_interval, is_within);
};

/// The newest ones, oldest first.
struct StoredWaits {
  std::vector<StoredWait> waits = {};
  NUCLEUS_FIELDS(waits);
};

struct StoredComputeset {
  msg::Computeset computeset = {};
  std::vector<msg::HostId> hosts = {};  // requested, one for each node; empty = any
  std::int64_t cores = 0;               // of all its nodes
  std::vector<ChargeRate> rates = {};   // from its start on; empty = it has not started
  std::int64_t off_unix_s = 0;          // it does not end before this
  Wait wait = {};                       // while it is submitted
  std::int64_t reservation_id = 0;      // that it names; 0 = none
  std::vector<StoredStep> steps = {};   // the first one, and the newest
  bool is_noticed = false;              // that it ends soon
  std::int64_t job_limit_mins = 0;      // that its batch job was last given; 0 = it has none
  std::int64_t job_count = 0;           // of the batch jobs that it had
  std::int64_t memory_mb = 0;           // of all its nodes
  std::string node_list = {};           // of a completed one: the names of its nodes
  StoredEstimate estimate = {};
  msg::Price price = {};            // of its class, when it was accepted
  std::int64_t resumed_unix_s = 0;  // when it was last asked to go on after a hibernation
  NUCLEUS_FIELDS(computeset, hosts, cores, rates, off_unix_s, wait, reservation_id, steps,
                 is_noticed, job_limit_mins, job_count, memory_mb, node_list, estimate, price,
                 resumed_unix_s);
};

/// Computesets with the same one compete for the same hosts.
struct HostChoice {
  std::int64_t reservation_id = 0;
  std::string host_class = {};
  auto operator<=>(const HostChoice&) const = default;
};

inline HostChoice choice_of(const StoredComputeset& stored) {
  return {.reservation_id = stored.reservation_id, .host_class = stored.computeset.host_class};
}

/// Of one that has started. While it is hibernated: as if that had ended at once.
inline std::int64_t walltime_end_unix_s(const msg::Computeset& computeset) {
  return computeset.start_unix_s + computeset.walltime_mins * 60 + computeset.hibernated_s;
}

/// It was hibernated, and has no hosts again yet.
inline bool is_hibernated(const msg::Computeset& computeset) {
  return computeset.hibernated_unix_s != 0;
}

/// For how long it has run, without the times in which it was hibernated.
inline std::int64_t ran_s(const msg::Computeset& computeset, std::int64_t now_unix_s) {
  if (computeset.start_unix_s == 0) return 0;
  auto until_unix_s = computeset.end_unix_s == 0 ? now_unix_s : computeset.end_unix_s;
  if (is_hibernated(computeset)) until_unix_s = computeset.hibernated_unix_s;
  return std::max<std::int64_t>(until_unix_s - computeset.start_unix_s - computeset.hibernated_s,
                                0);
}

/// When its walltime would end if it had its hosts from now on.
inline std::int64_t walltime_end_unix_s(const msg::Computeset& computeset,
                                        std::int64_t now_unix_s) {
  const bool has_hosts = computeset.start_unix_s != 0 && !is_hibernated(computeset);
  if (has_hosts) return walltime_end_unix_s(computeset);
  return now_unix_s + computeset.walltime_mins * 60 - ran_s(computeset, now_unix_s);
}

/// The part of `period` that it is charged for. Never more than its walltime, although nodes may
/// take a while to stop and a clock may be set.
inline Period charged_period(const msg::Computeset& computeset, Period period = {}) {
  return {.from_unix_s = std::max(period.from_unix_s, computeset.start_unix_s),
          .to_unix_s = std::min(period.to_unix_s, walltime_end_unix_s(computeset))};
}

/// What it is charged within `period` if it ends at `end_unix_s`.
inline std::int64_t charged_core_s(const StoredComputeset& stored, std::int64_t end_unix_s,
                                   const Period& period = {}) {
  return charge_core_s(stored.price, stored.rates, end_unix_s,
                       charged_period(stored.computeset, period));
}

/// What it was charged up to now, decayed by age.
inline double charged_recent_core_s(const StoredComputeset& stored, std::int64_t now_unix_s,
                                    std::int64_t half_life_s) {
  const auto end_unix_s =
      stored.computeset.end_unix_s == 0 ? now_unix_s : stored.computeset.end_unix_s;
  return charge_decayed_core_s(stored.price, stored.rates, end_unix_s,
                               charged_period(stored.computeset), now_unix_s, half_life_s);
}

/// Of a finished computeset, which is archived: what stays in memory, for lists and sums.
struct ComputesetSummary {
  msg::ComputesetId computeset_id = 0;
  msg::ClusterId cluster_id = {};
  msg::ProjectId project_id = {};
  msg::AllocationId allocation_id = {};
  msg::ComputesetState state = msg::ComputesetState::unknown;
  std::uint32_t node_count = 0;
  std::int64_t created_unix_s = 0;
  std::int64_t start_unix_s = 0;  // 0 = it never started
  std::int64_t end_unix_s = 0;
  msg::PersonId person_id = {};
  std::string on_behalf_of = {};
  std::int64_t cores = 0;  // written by earlier releases instead of `milli_su`: a thousandth of it
  std::int64_t charge_end_unix_s = 0;
  std::int64_t milli_su = 0;  // charged from its start to `charge_end_unix_s`, in thousandths of an
                              // SU an hour; 0 = not always the same, see its record
  NUCLEUS_FIELDS(computeset_id, cluster_id, project_id, allocation_id, state, node_count,
                 created_unix_s, start_unix_s, end_unix_s, person_id, on_behalf_of, cores,
                 charge_end_unix_s, milli_su);
};

struct StoredAllocation {
  msg::Allocation allocation = {};  // used: by computesets that have ended
  double recent_core_s = 0;         // of that, decayed by age up to `recent_unix_s`
  std::int64_t recent_unix_s = 0;
  NUCLEUS_FIELDS(allocation, recent_core_s, recent_unix_s);
};

/// How far the reports of a provisioner have been taken.
struct StoredReporter {
  std::string process = {};  // its name on the bus
  std::string log_id = {};   // of the reports
  std::uint64_t number = 0;  // of the newest
  NUCLEUS_FIELDS(process, log_id, number);
};

struct StoredReservation {
  msg::Reservation reservation = {};
  NUCLEUS_FIELDS(reservation);
};

/// How many computesets, or reservations, were ever accepted: the id of the newest.
struct StoredCount {
  std::int64_t count = 0;
  NUCLEUS_FIELDS(count);
};

constexpr bool is_finished(msg::ComputesetState state) {
  return state == msg::ComputesetState::completed || state == msg::ComputesetState::cancelled ||
         state == msg::ComputesetState::failed;
}

inline ComputesetSummary summary_of(const StoredComputeset& stored) {
  const auto& computeset = stored.computeset;
  return {.computeset_id = computeset.computeset_id,
          .cluster_id = computeset.cluster_id,
          .project_id = computeset.project_id,
          .allocation_id = computeset.allocation_id,
          .state = computeset.state,
          .node_count = static_cast<std::uint32_t>(computeset.nodes.size()),
          .created_unix_s = computeset.created_unix_s,
          .start_unix_s = computeset.start_unix_s,
          .end_unix_s = computeset.end_unix_s,
          .person_id = computeset.person_id,
          .on_behalf_of = computeset.on_behalf_of,
          .charge_end_unix_s = std::min(computeset.end_unix_s, walltime_end_unix_s(computeset)),
          .milli_su = stored.rates.size() == 1
                          ? milli_su_of(stored.price, stored.rates.front().cores,
                                        stored.rates.front().memory_mb)
                          : 0};
}

/// Desired on and without a host.
inline bool is_waiting(const StoredNode& node) {
  return node.is_desired_on && node.host_id.empty();
}

/// Placed, and its host reports that it cannot start it.
inline bool is_start_failing(const StoredNode& node) {
  return !node.host_id.empty() && node.is_grant_on && node.observed == msg::DomainState::absent &&
         !node.observed_reason.empty() && !node.is_preparing;
}

/// It is stopped to be placed elsewhere.
inline bool is_moved(const StoredNode& node) {
  return node.is_desired_on && !node.is_grant_on && !node.host_id.empty() &&
         (node.wait.reason == WaitReason::reservation_begins ||
          node.wait.reason == WaitReason::start_failed);
}

inline bool has_memory(const StoredNode& node) {
  return !node.memory.host_id.empty();
}

/// Where a node's disk is: a host that cannot use it must not start the node, which would find
/// another disk.
struct DiskPlace {
  msg::HostId host_id = {};  // that keeps it; empty = none
  bool is_in_store = false;  // for hosts that use the image store's files in place
  friend bool operator==(const DiskPlace&, const DiskPlace&) = default;
};

/// A node that was never placed, or whose only starts failed, has no disk yet; one without a disk
/// needs none.
inline DiskPlace disk_place_of(const StoredNode& node) {
  if (node.volume.path.empty() || (node.is_disk_fresh && node.disk_host_id.empty())) return {};
  return {.host_id = node.disk_host_id, .is_in_store = node.epoch > 0 && node.disk_host_id.empty()};
}

/// The host cannot show that clusters on it are isolated.
inline bool is_in_doubt(const StoredHost& host) {
  return host.isolation == msg::IsolationState::unchecked ||
         host.isolation == msg::IsolationState::broken;
}

/// Nodes may be placed there.
inline bool is_open(const StoredHost& host) {
  return host.state == msg::HostState::up && !host.is_drained && !is_in_doubt(host);
}

inline Resources size_of(const StoredNode& node) {
  return {.cpus = node.definition.cpus,
          .memory_mb = static_cast<std::int64_t>(node.definition.memory_mb),
          .adapters = node.fabrics.empty() ? 0 : 1};
}

/// Placed, but its host is not given its grant before its adapters are in its partitions.
inline bool is_joining(const StoredNode& node) {
  return !node.host_id.empty() && node.is_grant_on && node.size.adapters > 0 && !node.has_joined;
}

}  // namespace nucleus::scheduler

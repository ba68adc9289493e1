// What the scheduler stores; private to this room.
#pragma once

#include <string>
#include <vector>

#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::scheduler {

/// A cluster, as far as it matters here.
struct StoredCluster {
  msg::Cluster cluster = {};
  NUCLEUS_FIELDS(cluster);
};

/// A node: what others said of it, what is wanted of it, where it is placed, what was seen of it.
struct StoredNode {
  msg::Node definition = {};
  std::vector<msg::Port> ports = {};
  std::string ports_reason = {};  // why there are none
  msg::Volume volume = {};
  bool is_volume_ready = false;
  std::string volume_reason = {};  // why it is not ready

  bool is_desired_on = false;
  msg::ComputesetId computeset_id = 0;  // the unfinished one that it is in
  bool is_removed = false;              // its cluster is gone: forgotten once it is off

  msg::HostId host_id = {};    // where it is placed; empty = nowhere
  std::uint64_t epoch = 0;     // of its last placement
  std::uint64_t revision = 0;  // of the host's grants, when this one last changed
  bool is_grant_on = false;    // the placement shall run; else it is being stopped
  bool is_graceful = false;
  std::int64_t stop_by_unix_ms = 0;
  std::uint64_t reboots = 0;
  std::uint64_t resets = 0;

  msg::DomainState observed = msg::DomainState::unknown;  // unknown = it never ran
  std::string observed_reason = {};
  msg::NodeState state = msg::NodeState::unknown;  // as last emitted
  std::string reason = {};                         // as last told
  NUCLEUS_FIELDS(definition, ports, ports_reason, volume, is_volume_ready, volume_reason,
                 is_desired_on, computeset_id, is_removed, host_id, epoch, revision, is_grant_on,
                 is_graceful, stop_by_unix_ms, reboots, resets, observed, observed_reason, state,
                 reason);
};

/// A project whose nodes may not be powered on, and why.
struct StoredHold {
  msg::ProjectId project_id = {};
  std::string reason = {};
  NUCLEUS_FIELDS(project_id, reason);
};

/// A host. What changes with each heartbeat stays in memory.
struct StoredHost {
  msg::HostId host_id = {};
  std::string process = {};  // where its grants go
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  bool is_simulated = false;
  std::string accelerator = {};
  bool is_drained = false;
  std::string drain_reason = {};
  msg::HostState state = msg::HostState::up;  // up, unreachable or lost; drained is told over up
  std::string reason = {};
  std::uint64_t revision = 1;  // of its grants: one more with each commit that changes any
  NUCLEUS_FIELDS(host_id, process, cpus, memory_mb, is_simulated, accelerator, is_drained,
                 drain_reason, state, reason, revision);
};

struct StoredComputeset {
  msg::Computeset computeset = {};
  std::vector<msg::HostId> hosts = {};  // asked for, one a node; empty = any
  std::int64_t cores = 0;               // of all its nodes: what is charged for each second
  std::int64_t off_unix_s = 0;          // when a node of it last came off its host
  NUCLEUS_FIELDS(computeset, hosts, cores, off_unix_s);
};

struct StoredAllocation {
  msg::Allocation allocation = {};  // used: by computesets that have ended
  NUCLEUS_FIELDS(allocation);
};

/// How many computesets there have been.
struct StoredCount {
  std::int64_t count = 0;
  NUCLEUS_FIELDS(count);
};

}  // namespace nucleus::scheduler

// Where nodes' disks are, and what follows for their placement: a node starts only on a host that
// has its disk.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// What the node needs of a host from now on; on `host_id` alone if that is not empty.
Need need_of(const Draft& draft, const StoredNode& node, const msg::HostId& host_id = {});

/// The host that a computeset was requested to have for its node `i`; empty = any.
const msg::HostId& requested_host(const StoredComputeset& stored, std::size_t i);

/// How many nodes it starts with at least, out of the `count` that it has.
std::size_t node_count_min(const StoredComputeset& stored, std::size_t count);

/// The needs of a computeset's nodes, in their order.
Needs needs_of(const Draft& draft, const StoredComputeset& stored);

/// Why the location of its disk prevents a placement of this node now; `unknown` if it does not.
/// With `host_id`, for a placement on that host.
Wait why_disk_is_away(Draft& draft, const StoredNode& node, const msg::HostId& host_id = {});

/// Why the host that has saved its memory cannot start the node with it now, but for its room;
/// `unknown` if it can.
Wait why_memory_is_away(const Draft& draft, const StoredNode& node);

/// The node is placed on a host: its disk is there from now on, unless it is somewhere already.
void record_disk(Draft& draft, StoredNode& node);

/// The node leaves a host that could not start it: a disk that no guest has used is made again on
/// the next one, and this host deletes its own with the node's removal.
void forget_fresh_disk(StoredNode& node);

/// The hosts that are to delete the node's disk, with those that had not deleted an earlier one.
StoredRemovedDisk removed_disk_of(const View& view, const StoredNode& node);

/// Removes the record of a node that is off. Its host deletes its disk.
void erase_node(Draft& draft, const msg::NodeId& id);

/// The host has deleted these disks.
Plan plan_disks_removed(const View& view, const msg::HostId& host_id,
                        const msg::VolumesRemoved& removed, std::int64_t now_unix_ms);

/// The disks of removed nodes on this host, at most `msg::removed_volumes_max`.
std::vector<msg::NodeId> disks_to_remove(const View& view, const msg::HostId& host_id);

}  // namespace nucleus::scheduler

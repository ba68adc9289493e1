// The changes that a node's placement can go through; every plan uses these.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Places a node under a new epoch. The caller has taken the room from the draft's pool.
void place(Draft& draft, const msg::NodeId& id, const msg::HostId& host_id);

/// The node is desired off. Its placement ends when its domain is seen to be off; a graceful stop
/// becomes one by force after `scheduler.shutdown_ms`, or when the node is stopped again by force.
void stop(Draft& draft, const msg::NodeId& id, bool is_graceful);

/// The node is desired off, and its host saves its memory under this id first. What cannot be saved
/// is shut down within `scheduler.save_memory_ms`.
void save_memory(Draft& draft, const msg::NodeId& id, const std::string& hibernation_id);

/// Reboots or resets a node whose grant is on.
void restart(Draft& draft, const msg::NodeId& id, bool is_reset);

/// The node is off its host since `off_unix_s`; a removed node's record is removed with its
/// placement.
void end_placement(Draft& draft, const msg::NodeId& id, std::int64_t off_unix_s);

}  // namespace nucleus::scheduler

// Hibernation: the memory of a computeset's nodes is saved by their hosts, which are free until it
// is resumed. Its walltime and its charge stop meanwhile.
#pragma once

#include <string>

#include "core/result.hpp"
#include "messages/hibernation.hpp"
#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

core::Result<Plan> plan_hibernate(const View& view, const msg::HibernateComputeset& request,
                                  std::int64_t now_unix_ms);

/// Places it at once if `backend` can.
core::Result<Plan> plan_resume(const View& view, Backend& backend,
                               const msg::ResumeComputeset& request, std::int64_t now_unix_ms);

/// Empty if it can be hibernated now.
std::string why_not_hibernated(const View& view, const StoredComputeset& stored);

/// Stops its nodes; hosts save the memory of those that run.
void hibernate_computeset(Draft& draft, msg::ComputesetId id, const std::string& reason);

/// The last of its nodes is off.
void begin_hibernation(Draft& draft, msg::ComputesetId id);

/// It goes on, or ends.
void end_hibernation(StoredComputeset& stored, std::int64_t now_unix_s);

/// Ends a computeset that is hibernated, or waits to go on. What was saved is void.
void discard_hibernated(Draft& draft, msg::ComputesetId id, const std::string& reason);

/// What became of the hibernation, or of the resumption, that the node's grant asked for.
void take_hibernation(Draft& draft, StoredNode& node, const msg::DomainChanged& change);

/// The memory that the host must keep, with how far its reports were taken.
msg::KeepMemories memories_kept(const View& view, const StoredHost& host);

}  // namespace nucleus::scheduler

// Accepting a computeset.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

/// The plan's `computeset_count` is the id of the accepted computeset. `backend` starts it at once
/// if it can.
core::Result<Plan> plan_start(const View& view, Backend& backend,
                              const msg::StartComputeset& request, std::int64_t now_unix_ms);

using Nodes = std::vector<const StoredNode*>;

/// The nodes that a start names, or the first free ones. Refused if one of them cannot be in a new
/// computeset of the cluster, or there are not enough.
core::Result<Nodes> pick_nodes(const View& view, const msg::StartComputeset& request);

/// The class of hosts that a start asks for.
std::string host_class_of(const msg::StartComputeset& request);

/// Refused if the disk of one is on a host of another class.
core::Result<void> check_disks(const View& view, const Nodes& nodes, const std::string& host_class);

/// Refused if the project's acknowledgement is missing.
core::Result<void> check_acknowledged(const View& view, const msg::ProjectId& project_id);

}  // namespace nucleus::scheduler

// Powering nodes and computesets.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Power-on places the node at once, or as soon as its network, its volume or its end has come;
/// it is refused if no host has room. A compute must be in a running computeset.
core::Result<Plan> plan_power_node(const View& view, const msg::PowerNode& request,
                                   std::int64_t now_unix_ms);

/// As above for each of the nodes; if one is refused, so are all.
core::Result<Plan> plan_power_nodes(const View& view, const msg::PowerNodes& request,
                                    std::int64_t now_unix_ms);

/// For unfinished computesets; a finished one has nothing to power.
core::Result<Plan> plan_power_computeset(const View& view, const msg::PowerComputeset& request,
                                         std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

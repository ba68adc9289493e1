// More and fewer nodes in a computeset that runs.
#pragma once

#include "core/result.hpp"
#include "messages/explanations.hpp"
#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

/// All of the nodes get hosts from `backend` and are charged from now on, or nothing changes:
/// `no_capacity` if there is no room, or if it would delay the promised start of another
/// computeset; `wrong_state` if it does not run, a node is not ready, or the allocation cannot pay
/// for the nodes until the end of the walltime.
core::Result<Plan> plan_grow(const View& view, Backend& backend, const msg::GrowComputeset& request,
                             std::int64_t now_unix_ms);

/// Each of the nodes leaves when it is off, and is charged until then. A repeated call with force
/// stops by force those that still shut down. If no other node is left, the computeset ends.
core::Result<Plan> plan_shrink(const View& view, const msg::ShrinkComputeset& request,
                               std::int64_t now_unix_ms);

/// What the growth would do now; it changes nothing.
core::Result<msg::StartPlan> explain_growth(const View& view, Backend& backend,
                                            const msg::GrowComputeset& request,
                                            std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

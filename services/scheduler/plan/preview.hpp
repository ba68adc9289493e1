// What a request would change: the plan of that request, shown and not applied.
#pragma once

#include "core/result.hpp"
#include "messages/plans.hpp"
#include "services/scheduler/backend.hpp"

namespace nucleus::scheduler {

/// `invalid_argument` unless one request is set; otherwise refused as that one is.
core::Result<msg::ChangePlan> preview(const View& view, Backend& backend,
                                      const msg::PlanChange& request, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

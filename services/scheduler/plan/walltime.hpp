// Changes of a computeset's walltime.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Refused with `wrong_state` if it has ended or is ending, if its allocation cannot pay for more,
/// if its reservation ends or another begins on its hosts before the new end, or if a computeset
/// that was promised a start would start later.
core::Result<Plan> plan_change_walltime(const View& view, const msg::ChangeWalltime& request,
                                        std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

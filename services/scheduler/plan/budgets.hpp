// What follows when an allocation is used up or over, and notices before a computeset ends.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// What the allocation was charged, up to this second: ended computesets and running ones.
std::int64_t used_core_s(const View& view, const StoredAllocation& stored, std::int64_t now_unix_s);

/// When the limit is used if what runs now goes on; 0 = never.
std::int64_t forecast_end_unix_s(const View& view, const StoredAllocation& stored,
                                 std::int64_t now_unix_s);

/// As replies show it: with what was used up to now, and the forecast.
msg::Allocation allocation_shown(const View& view, const StoredAllocation& stored,
                                 std::int64_t now_unix_s);

/// Its `percent_reached`, as of now.
std::int64_t percent_reached(const View& view, const StoredAllocation& stored,
                             std::int64_t now_unix_s);

/// The newest step that was reached; null if none was.
const msg::BudgetStep* step_reached(const msg::Allocation& allocation);

/// Takes the steps of budgets that are reached, and ends the computesets of allocations that are
/// over.
Plan plan_budgets(const View& view, std::int64_t now_unix_ms);

/// Marks the computesets that end within `scheduler.walltime_notice_s`; each once.
Plan plan_walltime_notices(const View& view, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

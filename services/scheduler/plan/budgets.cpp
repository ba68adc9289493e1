#include "services/scheduler/plan/budgets.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/reservations.hpp"

namespace nucleus::scheduler {

namespace {

void end_all(Draft& draft, const msg::AllocationId& id, const std::string& reason) {
  for (const auto computeset_id : draft.view().unfinished_of(id))
    if (const auto state = draft.computeset(computeset_id)->computeset.state;
        state != msg::ComputesetState::ending && state != msg::ComputesetState::hibernated)
      end_computeset(draft, computeset_id, true, reason);
}

void hibernate_all(Draft& draft, const msg::AllocationId& id, const std::string& reason) {
  for (const auto computeset_id : draft.view().unfinished_of(id))
    if (why_not_hibernated(draft.view(), *draft.computeset(computeset_id)).empty())
      hibernate_computeset(draft, computeset_id, reason);
}

void take_step(Draft& draft, const StoredAllocation& stored) {
  const auto& id = stored.allocation.allocation_id;
  const auto percent = percent_reached(draft.view(), stored, draft.now_unix_s());
  auto reached = stored;
  reached.allocation.percent_reached = percent;
  if (percent != stored.allocation.percent_reached) draft.changes().allocations[id] = reached;
  const auto* step = step_reached(reached.allocation);
  if (!step) return;
  const auto reason =
      "allocation " + id.value + " has used " + std::to_string(step->percent) + " % of its limit";
  if (step->action == msg::BudgetAction::terminate) end_all(draft, id, reason);
  if (step->action == msg::BudgetAction::hibernate) hibernate_all(draft, id, reason);
}

}  // namespace

std::int64_t used_core_s(const View& view, const StoredAllocation& stored,
                         std::int64_t now_unix_s) {
  auto used = stored.allocation.used_core_s;
  for (const auto id : view.unfinished_of(stored.allocation.allocation_id))
    used += charged_core_s(*view.computeset(id), now_unix_s);
  return used;
}

std::int64_t forecast_end_unix_s(const View& view, const StoredAllocation& stored,
                                 std::int64_t now_unix_s) {
  std::int64_t milli_su = 0;
  for (const auto id : view.unfinished_of(stored.allocation.allocation_id)) {
    const auto& one = *view.computeset(id);
    if (one.computeset.state == msg::ComputesetState::running)
      milli_su += milli_su_of(one.price, one.cores, one.memory_mb);
  }
  if (stored.allocation.limit_core_s == 0 || milli_su == 0) return 0;
  const auto left = stored.allocation.limit_core_s - used_core_s(view, stored, now_unix_s);
  return now_unix_s + std::max<std::int64_t>(left, 0) * 1000 / milli_su;
}

msg::Allocation allocation_shown(const View& view, const StoredAllocation& stored,
                                 std::int64_t now_unix_s) {
  auto allocation = stored.allocation;
  allocation.used_core_s = used_core_s(view, stored, now_unix_s);
  allocation.forecast_end_unix_s = forecast_end_unix_s(view, stored, now_unix_s);
  return allocation;
}

std::int64_t percent_reached(const View& view, const StoredAllocation& stored,
                             std::int64_t now_unix_s) {
  const auto& allocation = stored.allocation;
  if (allocation.limit_core_s == 0) return 0;
  const auto used = static_cast<double>(used_core_s(view, stored, now_unix_s));
  std::int64_t reached = 0;
  for (const auto& step : allocation.budget)
    if (used * 100 >=
        static_cast<double>(allocation.limit_core_s) * static_cast<double>(step.percent))
      reached = step.percent;
  return reached;
}

const msg::BudgetStep* step_reached(const msg::Allocation& allocation) {
  const auto found =
      std::ranges::find(allocation.budget, allocation.percent_reached, &msg::BudgetStep::percent);
  return found == allocation.budget.end() ? nullptr : &*found;
}

Plan plan_budgets(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& [id, stored] : view.allocations()) {
    const auto end_unix_s = stored.allocation.end_unix_s;
    if (end_unix_s != 0 && end_unix_s <= draft.now_unix_s())
      end_all(draft, id, "allocation " + id.value + " is over");
    else if (!stored.allocation.budget.empty())
      take_step(draft, stored);
  }
  return finish(draft);
}

Plan plan_walltime_notices(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto until_unix_s = draft.now_unix_s() + view.config().walltime_notice_s;
  for (const auto id : view.active()) {
    const auto& stored = *view.computeset(id);
    const bool is_running = stored.computeset.state == msg::ComputesetState::running;
    if (is_running && !stored.is_noticed && end_unix_s(view, stored) <= until_unix_s)
      draft.edit(id).is_noticed = true;
  }
  return finish(draft);
}

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/allocations.hpp"

#include <algorithm>

#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/reservations.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

/// A wrong project can be corrected as long as nothing was charged.
core::Result<void> check_project(const View& view, const msg::Allocation& known,
                                 const msg::ProjectId& project) {
  const bool is_charged = known.used_core_s > 0 || !view.unfinished_of(known.allocation_id).empty();
  if (known.project_id == project || !is_charged) return {};
  const auto charged_for = known.project_id.empty() ? std::string("a removed project")
                                                    : "project " + known.project_id.value;
  return core::refuse(ErrorCode::wrong_state,
                      "allocation " + known.allocation_id.value + " was charged for " +
                          charged_for + " and stays with it",
                      "project_id");
}

/// Why nothing new may be charged; empty if it may.
std::string why_nothing_new(const msg::Allocation& allocation, std::int64_t now_unix_s) {
  if (allocation.is_closed) return " is closed";
  if (now_unix_s < allocation.start_unix_s) return " has not begun yet";
  if (allocation.end_unix_s != 0 && now_unix_s >= allocation.end_unix_s) return " is over";
  const auto* step = step_reached(allocation);
  if (!step || step->action == msg::BudgetAction::warn) return {};
  return " has used " + std::to_string(step->percent) + " % of its limit: nothing new is started";
}

std::optional<core::Error> check_budget(const std::vector<msg::BudgetStep>& budget) {
  if (budget.size() > msg::budget_steps_max)
    return msg::invalid("budget", "budget must have at most 8 steps");
  std::int64_t before = 0;
  for (const auto& step : budget) {
    if (step.percent <= before || step.percent > 100)
      return msg::invalid("budget", "percent must be 1 to 100, larger in each step");
    if (step.action == msg::BudgetAction::unknown)
      return msg::invalid("budget", "action must be warn, refuse, hibernate or terminate");
    before = step.percent;
  }
  return std::nullopt;
}

/// What a request gives of an allocation's period and budget.
std::optional<core::Error> set_bounds(msg::Allocation& allocation,
                                      const msg::DefineAllocation& request) {
  for (const auto& [field, time] : {std::pair{"start_unix_s", request.start_unix_s},
                                    std::pair{"end_unix_s", request.end_unix_s}})
    if (time && (*time < 0 || *time > msg::unix_s_max))
      return msg::invalid(field, std::string(field) + " must be 0 to 253402300799");
  allocation.start_unix_s = request.start_unix_s.value_or(allocation.start_unix_s);
  allocation.end_unix_s = request.end_unix_s.value_or(allocation.end_unix_s);
  if (allocation.end_unix_s != 0 && allocation.end_unix_s <= allocation.start_unix_s)
    return msg::invalid("end_unix_s", "end_unix_s must be after start_unix_s");
  if (!request.budget) return std::nullopt;
  if (auto broken = check_budget(*request.budget)) return broken;
  allocation.budget = *request.budget;
  return std::nullopt;
}

}  // namespace

std::int64_t charge_core_s_max(const StoredComputeset& stored) {
  const auto& computeset = stored.computeset;
  if (stored.rates.empty())
    return charge_core_s(milli_su_of(stored.price, stored.cores, stored.memory_mb),
                         computeset.walltime_mins * 60);
  if (!is_hibernated(computeset)) return charged_core_s(stored, walltime_end_unix_s(computeset));
  auto resumed = stored;
  resumed.rates.back().cores = stored.cores;
  resumed.rates.back().memory_mb = stored.memory_mb;
  return charged_core_s(resumed, walltime_end_unix_s(computeset));
}

std::optional<std::int64_t> left_core_s(const Draft& draft, const msg::AllocationId& id) {
  const auto* stored = draft.allocation(id);
  if (!stored || stored->allocation.limit_core_s == 0) return std::nullopt;
  std::int64_t left = stored->allocation.limit_core_s - stored->allocation.used_core_s;
  for (const auto other : draft.view().unfinished_of(id))
    left -= charge_core_s_max(*draft.view().computeset(other));
  return left;
}

core::Result<void> check_allocation(const Draft& draft, const msg::AllocationId& id,
                                    std::int64_t core_s) {
  if (const auto* stored = draft.allocation(id))
    if (const auto reason = why_nothing_new(stored->allocation, draft.now_unix_s());
        !reason.empty())
      return core::refuse(ErrorCode::wrong_state, "allocation " + id.value + reason,
                          "allocation_id");
  const auto left = left_core_s(draft, id);
  if (!left || core_s <= *left) return {};
  return core::refuse(ErrorCode::wrong_state,
                      "allocation " + id.value + " has " +
                          std::to_string(std::max<std::int64_t>(*left, 0)) +
                          " core-seconds left, this needs " + std::to_string(core_s),
                      "allocation_id");
}

core::Result<void> check_more(const Draft& draft, const StoredComputeset& changed) {
  const auto& before = *draft.view().computeset(changed.computeset.computeset_id);
  const auto more_core_s = charge_core_s_max(changed) - charge_core_s_max(before);
  if (more_core_s <= 0) return {};
  return check_allocation(draft, changed.computeset.allocation_id, more_core_s);
}

StoredComputeset with_more(StoredComputeset stored, const Resources& more,
                           std::int64_t now_unix_s) {
  stored.cores += more.cpus;
  stored.memory_mb += more.memory_mb;
  add_resources(stored.rates, now_unix_s, more);
  return stored;
}

core::Result<void> resize_node(Draft& draft, const msg::NodeId& id) {
  StoredNode& node = draft.edit(id);
  const auto size = size_of(node);
  const auto more = size - node.size;
  if (node.computeset_id != 0 && !(more == Resources{})) {
    const auto changed = with_more(*draft.computeset(node.computeset_id), more, draft.now_unix_s());
    if (auto allowed = check_more(draft, changed); !allowed) return allowed;
    draft.edit(node.computeset_id) = changed;
  }
  node.size = size;
  return {};
}

core::Result<msg::AllocationId> pick_allocation(const View& view, const msg::Cluster& cluster,
                                                const msg::StartComputeset& request) {
  auto allocations = cluster.allocations;
  if (allocations.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "Cluster " + msg::shown(cluster.cluster_id.value) +
                            " has no allocation: set one with comet allocation CLUSTER NAME.",
                        "allocation_id");
  // One that another project was given since is not the cluster's any more.
  std::erase_if(allocations, [&](const msg::AllocationId& id) {
    const auto known = view.allocations().find(id);
    return known != view.allocations().end() &&
           known->second.allocation.project_id != cluster.project_id;
  });
  if (request.allocation_id.empty()) {
    if (allocations.size() == 1) return allocations.front();
    return core::refuse(ErrorCode::invalid_argument, "Please specify the allocation",
                        "allocation_id");
  }
  if (std::ranges::find(allocations, request.allocation_id) == allocations.end())
    return core::refuse(ErrorCode::invalid_argument,
                        "Allocation " + msg::shown(request.allocation_id.value) +
                            " does not belong to the cluster.",
                        "allocation_id");
  return request.allocation_id;
}

core::Result<Plan> plan_allocation(const View& view, const msg::DefineAllocation& request,
                                   std::int64_t now_unix_ms) {
  for (const auto& [field, value] : {std::pair{"allocation_id", request.allocation_id.value},
                                     std::pair{"project_id", request.project_id.value}})
    if (auto broken = msg::check_name(field, value)) return std::unexpected(*broken);
  if (request.limit_core_s < 0)
    return std::unexpected(msg::invalid("limit_core_s", "limit_core_s must not be negative"));
  if (request.shares < 0 || request.shares > msg::allocation_shares_max)
    return std::unexpected(msg::invalid("shares", "shares must be 1 to 1000000"));
  if (!view.project(request.project_id))
    return core::refuse(ErrorCode::not_found,
                        "no such project: " + msg::shown(request.project_id.value), "project_id");
  Draft draft{view, now_unix_ms};
  const auto* known = draft.allocation(request.allocation_id);
  if (known)
    if (auto allowed = check_project(view, known->allocation, request.project_id); !allowed)
      return std::unexpected(allowed.error());
  StoredAllocation stored = known ? *known : StoredAllocation{};
  stored.allocation.allocation_id = request.allocation_id;
  stored.allocation.project_id = request.project_id;
  const bool opens = request.is_closed == false;
  if (request.limit_core_s > 0 || opens) stored.allocation.limit_core_s = request.limit_core_s;
  stored.allocation.is_closed =
      request.is_closed.value_or(stored.allocation.is_closed && request.limit_core_s == 0);
  const bool are_shares_changed = request.shares > 0 && request.shares != stored.allocation.shares;
  if (are_shares_changed) {
    stored.allocation.shares = request.shares;
    draft.want_pass();
  }
  if (auto broken = set_bounds(stored.allocation, request)) return std::unexpected(*broken);
  stored.allocation.percent_reached = percent_reached(view, stored, draft.now_unix_s());
  draft.changes().allocations[request.allocation_id] = std::move(stored);
  return finish(draft);
}

Plan plan_project_defined(const View& view, const msg::ProjectDefined& event,
                          std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  draft.changes().projects[event.project_id] = StoredProject{event.project_id};
  return finish(draft);
}

Plan plan_project_removed(const View& view, const msg::ProjectRemoved& event,
                          std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  draft.changes().projects[event.project_id].reset();
  for (const auto& [id, known] : view.allocations()) {
    if (known.allocation.project_id != event.project_id) continue;
    StoredAllocation stored = known;
    stored.allocation.project_id = {};
    draft.changes().allocations[id] = std::move(stored);
  }
  remove_reservations_of(draft, event.project_id);
  return finish(draft);
}

}  // namespace nucleus::scheduler

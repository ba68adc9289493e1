#include "services/scheduler/plan/pass.hpp"

#include <algorithm>

#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/replacement.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

void place_waiting_nodes(Draft& draft) {
  for (const auto& id : draft.view().waiting_nodes()) {
    if (is_missing_something(*draft.node(id))) continue;
    const Wait wait = place_node(draft, id);
    if (wait.reason != WaitReason::unknown && !(draft.node(id)->wait == wait))
      draft.edit(id).wait = wait;
  }
}

}  // namespace

WaitReason why_all_closed(const View& view, const Need& need) {
  const auto is_any = [&](const auto& is_wanted) {
    return std::ranges::any_of(view.hosts(), [&](const auto& entry) {
      const StoredHost& host = entry.second;
      return host.state == msg::HostState::up && suits(place_of(host), need) && is_wanted(host);
    });
  };
  const auto has_adapters = [&](const auto& entry) {
    return has_fabrics(place_of(entry.second), need);
  };
  if (std::ranges::none_of(view.hosts(), has_adapters) && !view.hosts().empty())
    return WaitReason::no_adapters;
  if (is_any([](const StoredHost& host) { return !host.is_drained; }))
    return WaitReason::hosts_in_doubt;
  const bool is_any_up = is_any([](const StoredHost&) { return true; });
  return is_any_up ? WaitReason::all_hosts_drained : WaitReason::no_host_up;
}

Wait why_reserved(Draft& draft, const Need& need) {
  if (need.reservation_id < 0) return {.reason = WaitReason::job_full};
  if (need.reservation_id != 0)
    return wait_for(draft, WaitReason::reservation_full, need.reservation_id);
  const auto* hold = draft.pool().find_hold(need);
  if (hold && hold->reservation_id < 0) return {.reason = WaitReason::batch_hosts};
  return hold ? wait_for(draft, WaitReason::reserved, hold->reservation_id) : Wait{};
}

Wait place_node(Draft& draft, const msg::NodeId& id) {
  if (auto wait = why_disk_is_away(draft, *draft.node(id)); wait.reason != WaitReason::unknown)
    return wait;
  const Need need = need_of(draft, *draft.node(id));
  const auto* found = draft.pool().find_roomiest(need, hosts_failed(*draft.node(id)));
  if (!found) found = draft.pool().find_roomiest(need);
  if (found) {
    const msg::HostId host_id = *found;
    draft.pool().take(host_id, need.size);
    place(draft, id, host_id);
    return {};
  }
  const auto& pool = draft.view().pool();
  if (!pool.is_any_open(need)) return {.reason = why_all_closed(draft.view(), need)};
  if (can_never_fit(pool, {&need, 1})) return {.reason = WaitReason::too_large};
  const Wait reserved = why_reserved(draft, need);
  return reserved.reason == WaitReason::unknown ? Wait{.reason = WaitReason::no_room} : reserved;
}

Plan plan_pass(const View& view, Backend& backend, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  place_waiting_nodes(draft);
  replace_failing(draft);
  backend.place_submitted(draft);
  return finish(draft);
}

}  // namespace nucleus::scheduler

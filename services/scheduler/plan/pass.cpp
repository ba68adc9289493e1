#include "services/scheduler/plan/pass.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

/// The host that a computeset was requested to have for its node `i`; empty = any.
msg::HostId host_for(const StoredComputeset& stored, std::size_t i) {
  return stored.hosts.empty() ? msg::HostId{} : stored.hosts[i];
}

/// No host is open: none is up, or those that are up are drained.
WaitReason why_all_closed(const View& view) {
  const bool is_any_up = std::ranges::any_of(
      view.hosts(), [](const auto& host) { return host.second.state == msg::HostState::up; });
  return is_any_up ? WaitReason::all_hosts_drained : WaitReason::no_host_up;
}

/// The first of a computeset's nodes that cannot be placed yet, whatever room there is.
Wait missing_for_all(Draft& draft, const StoredComputeset& stored) {
  const auto& nodes = stored.computeset.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = *draft.node(nodes[i]);
    Wait wait = missing_for(node);
    if (wait.reason == WaitReason::unknown && !node.host_id.empty())
      wait.reason = WaitReason::still_running;
    if (wait.reason == WaitReason::unknown)
      wait = why_disk_is_away(draft, node, host_for(stored, i));
    if (wait.reason == WaitReason::unknown) continue;
    wait.subject = node.definition.name;
    return wait;
  }
  return {};
}

/// The reservation that keeps the room that this need could have, or that the need names and that
/// has no room; `unknown` if there is none.
Wait why_reserved(Draft& draft, const Need& need) {
  if (need.reservation_id != 0)
    return wait_for(draft, WaitReason::reservation_full, need.reservation_id);
  const auto* hold = draft.pool().find_hold(need);
  return hold ? wait_for(draft, WaitReason::reserved, hold->reservation_id) : Wait{};
}

Wait why_no_room(Draft& draft, const std::vector<Need>& needs) {
  auto& pool = draft.pool();
  for (const auto& need : needs) {
    if (need.host_id.empty()) continue;
    const auto* host = pool.pool().find(need.host_id);
    if (!host || !host->is_open)
      return {.reason = WaitReason::named_host_closed, .subject = need.host_id.value};
    if (pool.has_room(need.host_id, need)) continue;
    const Wait reserved = need.reservation_id == 0 ? why_reserved(draft, need) : Wait{};
    if (reserved.reason != WaitReason::unknown) return reserved;
    return {.reason = WaitReason::named_host_full, .subject = need.host_id.value};
  }
  if (!pool.pool().is_any_open()) return {.reason = why_all_closed(draft.view())};
  if (can_never_fit(pool.pool(), needs)) return {.reason = WaitReason::too_large_for_all};
  for (const auto& need : needs)
    if (Wait reserved = why_reserved(draft, need); reserved.reason != WaitReason::unknown)
      return reserved;
  return {.reason = WaitReason::no_room_for_all};
}

void place_waiting_nodes(Draft& draft) {
  for (const auto& id : draft.view().waiting_nodes()) {
    if (is_missing_something(*draft.node(id))) continue;
    const Wait wait = place_node(draft, id);
    if (wait.reason != WaitReason::unknown && !(draft.node(id)->wait == wait))
      draft.edit(id).wait = wait;
  }
}

}  // namespace

Wait place_node(Draft& draft, const msg::NodeId& id) {
  if (auto wait = why_disk_is_away(draft, *draft.node(id)); wait.reason != WaitReason::unknown)
    return wait;
  const Need need = need_of(draft, *draft.node(id));
  if (const auto* found = draft.pool().find_roomiest(need)) {
    const msg::HostId host_id = *found;
    draft.pool().take(host_id, need.size);
    place(draft, id, host_id);
    return {};
  }
  const auto& pool = draft.view().pool();
  if (!pool.is_any_open()) return {.reason = why_all_closed(draft.view())};
  if (can_never_fit(pool, {&need, 1})) return {.reason = WaitReason::too_large};
  const Wait reserved = why_reserved(draft, need);
  return reserved.reason == WaitReason::unknown ? Wait{.reason = WaitReason::no_room} : reserved;
}

void place_computeset(Draft& draft, msg::ComputesetId id) {
  const auto& stored = *draft.computeset(id);
  const auto& nodes = stored.computeset.nodes;
  if (const auto* named = draft.reservation(stored.reservation_id);
      named && named->reservation.state == msg::ReservationState::planned)
    return set_wait(draft, id,
                    wait_for(draft, WaitReason::reservation_planned, stored.reservation_id));
  if (const Wait missing = missing_for_all(draft, stored); missing.reason != WaitReason::unknown)
    return set_wait(draft, id, missing);
  std::vector<Need> needs;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    needs.push_back(need_of(draft, *draft.node(nodes[i]), host_for(stored, i)));
  const auto hosts = place_together(draft.pool(), needs, draft.search_steps_left());
  if (!hosts) return set_wait(draft, id, why_no_room(draft, needs));
  start_computeset(draft, id, *hosts);
}

Plan plan_pass(const View& view, Backend& backend, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  place_waiting_nodes(draft);
  backend.place_submitted(draft);
  return finish(draft);
}

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/queue.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

/// It can be first: it has all it needs but room.
bool waits_for_room(WaitReason reason) {
  return reason == WaitReason::no_room_for_all || reason == WaitReason::named_host_full ||
         reason == WaitReason::reserved || reason == WaitReason::reservation_full ||
         reason == WaitReason::behind;
}

constexpr std::size_t misfits_max = 64;

bool are_alike(std::span<const Need> needs) {
  return std::ranges::all_of(needs, [&](const Need& need) { return need == needs.front(); });
}

/// A host that has no room for `easier` has none for `need`.
bool is_as_hard(const Need& need, const Need& easier) {
  return need.reservation_id == easier.reservation_id && need.until_unix_s >= easier.until_unix_s &&
         fits(easier.size, need.size) && (need.is_disk_in_store || !easier.is_disk_in_store);
}

}  // namespace

Wait missing_for_all(Draft& draft, const StoredComputeset& stored) {
  const auto& nodes = stored.computeset.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = *draft.node(nodes[i]);
    Wait wait = missing_for(node);
    if (wait.reason == WaitReason::unknown && !node.host_id.empty())
      wait.reason = WaitReason::still_running;
    if (wait.reason == WaitReason::unknown)
      wait = why_disk_is_away(draft, node, requested_host(stored, i));
    if (wait.reason == WaitReason::unknown) continue;
    wait.subject = node.definition.name;
    return wait;
  }
  return {};
}

Wait Queue::why_no_room(std::span<const Need> needs) {
  auto& pool = draft_.pool();
  for (const auto& need : needs) {
    if (need.host_id.empty()) continue;
    const auto* host = pool.pool().find(need.host_id);
    if (!host || !host->is_open)
      return {.reason = WaitReason::named_host_closed, .subject = need.host_id.value};
    if (pool.has_room(need.host_id, need)) continue;
    const Wait reserved = need.reservation_id == 0 ? why_reserved(draft_, need) : Wait{};
    if (reserved.reason != WaitReason::unknown) return reserved;
    return {.reason = WaitReason::named_host_full, .subject = need.host_id.value};
  }
  if (!pool.pool().is_any_open()) return {.reason = why_all_closed(draft_.view())};
  if (is_too_large(needs)) return {.reason = WaitReason::too_large_for_all};
  for (const auto& need : needs)
    if (Wait reserved = why_reserved(draft_, need); reserved.reason != WaitReason::unknown)
      return reserved;
  return {.reason = WaitReason::no_room_for_all};
}

/// True if it is known that the needs do not fit, or `try_to_fit` finds that.
template <class TryToFit>
bool Queue::find_misfit(Misfits& misfits, std::span<const Need> needs, TryToFit try_to_fit) {
  const bool are_comparable = needs.front().host_id.empty() && are_alike(needs);
  const bool is_known = are_comparable && std::ranges::any_of(misfits, [&](const Misfit& one) {
                          return needs.size() >= one.count && is_as_hard(needs.front(), one.need);
                        });
  if (is_known) return true;
  if (try_to_fit()) return false;
  if (are_comparable && misfits.size() < misfits_max)
    misfits.push_back({.need = needs.front(), .count = needs.size()});
  return true;
}

bool Queue::is_too_large(std::span<const Need> needs) {
  return find_misfit(too_large_, needs,
                     [&] { return !can_never_fit(draft_.pool().pool(), needs); });
}

void Queue::place(msg::ComputesetId id) {
  const auto& stored = *draft_.computeset(id);
  if (const auto* named = draft_.reservation(stored.reservation_id);
      named && named->reservation.state == msg::ReservationState::planned)
    return set_wait(draft_, id,
                    wait_for(draft_, WaitReason::reservation_planned, stored.reservation_id));
  if (const Wait missing = missing_for_all(draft_, stored); missing.reason != WaitReason::unknown)
    return set_wait(draft_, id, missing);
  const auto needs = needs_of(draft_, stored);
  const auto found = heads_.find(stored.reservation_id);
  auto* head = found == heads_.end() ? nullptr : &found->second;
  if (const auto hosts = find_hosts(head, needs)) return start_computeset(draft_, id, *hosts);
  if (head && would_fit(needs))
    return set_wait(draft_, id,
                    {.reason = WaitReason::behind, .subject = std::to_string(head->id)});
  const Wait wait = why_no_room(needs);
  if (!head && waits_for_room(wait.reason)) head = promise(stored, needs);
  set_wait(draft_, id, wait, head && head->id == id ? head->promised.start_unix_s : 0);
}

void Queue::keep_waiting(msg::ComputesetId id) {
  const auto& stored = *draft_.computeset(id);
  if (!heads_.contains(stored.reservation_id) && waits_for_room(stored.wait.reason))
    promise(stored, needs_of(draft_, stored));
}

/// Takes the room, if there is enough.
std::optional<std::vector<msg::HostId>> Queue::find_hosts(Head* head, std::span<const Need> needs) {
  if (!head) return find_hosts(draft_.pool(), misfits_, needs);
  const bool is_longer = std::ranges::any_of(
      needs, [&](const Need& need) { return need.until_unix_s > head->promised.start_unix_s; });
  auto hosts = is_longer ? find_hosts(head->room, head->misfits, needs)
                         : find_hosts(draft_.pool(), misfits_, needs);
  if (hosts) take(*head, needs, *hosts, is_longer);
  return hosts;
}

std::optional<std::vector<msg::HostId>> Queue::find_hosts(HostPoolDraft& pool, Misfits& misfits,
                                                          std::span<const Need> needs) {
  std::optional<std::vector<msg::HostId>> hosts;
  (void)find_misfit(misfits, needs, [&] {
    hosts = place_together(pool, needs, draft_.search_steps_left());
    return hosts.has_value();
  });
  return hosts;
}

/// It would fit if nothing were promised.
bool Queue::would_fit(std::span<const Need> needs) {
  auto& pool = draft_.pool();
  const auto hosts = find_hosts(pool, misfits_, needs);
  if (!hosts) return false;
  for (std::size_t i = 0; i < needs.size(); ++i) pool.give_back((*hosts)[i], needs[i].size);
  return true;
}

void Queue::take(Head& head, std::span<const Need> needs, const std::vector<msg::HostId>& hosts,
                 bool is_longer) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& host_id = hosts[i];
    const auto left = head.promised.left.find(host_id);
    if (is_longer) {
      draft_.pool().take(host_id, needs[i].size);
      if (left != head.promised.left.end()) left->second -= needs[i].size;
    }
    const auto now = draft_.pool().free(host_id);
    const auto wanted = left == head.promised.left.end() ? now : lesser(now, left->second);
    const auto excess = head.room.free(host_id) - wanted;
    if (!(excess == Resources{})) head.room.take(host_id, excess);
  }
}

Queue::Head* Queue::promise(const StoredComputeset& stored, std::span<const Need> needs) {
  auto promised = Outlook{draft_}.place(needs, draft_.search_steps_left());
  if (!promised) return nullptr;
  auto& head = heads_
                   .emplace(stored.reservation_id, Head{.id = stored.computeset.computeset_id,
                                                        .promised = std::move(*promised),
                                                        .room = draft_.pool()})
                   .first->second;
  for (const auto& [host_id, left] : head.promised.left) {
    const auto now = draft_.pool().free(host_id);
    const auto excess = now - lesser(now, left);
    if (!(excess == Resources{})) head.room.take(host_id, excess);
  }
  return &head;
}

}  // namespace nucleus::scheduler

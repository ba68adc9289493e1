#include "services/scheduler/plan/queue.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

Wait missing_for(Draft& draft, const StoredComputeset& stored, std::size_t i) {
  return missing_for(draft, *draft.node(stored.computeset.nodes[i]), requested_host(stored, i));
}

/// The nodes of a computeset that can be placed.
struct Ready {
  std::vector<std::size_t> nodes = {};  // their places in the computeset
  Needs needs = {};
  Wait missing = {};  // of the first other one; not set if there are enough
};

Ready ready_nodes(Draft& draft, const StoredComputeset& stored) {
  Ready ready;
  const auto needs = needs_of(draft, stored);
  for (std::size_t i = 0; i < needs.all.size(); ++i) {
    const Wait missing = missing_for(draft, stored, i);
    if (missing.reason == WaitReason::unknown) {
      ready.nodes.push_back(i);
      ready.needs.all.push_back(needs.all[i]);
    } else if (ready.missing.reason == WaitReason::unknown) {
      ready.missing = missing;
    }
  }
  ready.needs.count_min = needs.count_min;
  if (ready.nodes.size() >= needs.count_min) ready.missing = {};
  return ready;
}

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
  return need.reservation_id == easier.reservation_id && need.host_class == easier.host_class &&
         need.fabrics == easier.fabrics && need.until_unix_s >= easier.until_unix_s &&
         fits(easier.size, need.size) && (need.is_disk_in_store || !easier.is_disk_in_store);
}

}  // namespace

Wait missing_for(Draft& draft, const StoredNode& node, const msg::HostId& host_id) {
  Wait wait = missing_for(node);
  if (wait.reason == WaitReason::unknown && !node.host_id.empty())
    wait.reason = WaitReason::still_running;
  if (wait.reason == WaitReason::unknown) wait = why_disk_is_away(draft, node, host_id);
  if (wait.reason != WaitReason::unknown) wait.subject = node.definition.name;
  return wait;
}

Wait missing_for_all(Draft& draft, const StoredComputeset& stored) {
  for (std::size_t i = 0; i < stored.computeset.nodes.size(); ++i)
    if (Wait wait = missing_for(draft, stored, i); wait.reason != WaitReason::unknown) return wait;
  return {};
}

Wait Queue::why_no_room(const Needs& needs) {
  Wait wait = why_no_host(needs);
  const auto& host_class = needs.all.front().host_class;
  if (host_class && *host_class != msg::host_class_default) wait.host_class = *host_class;
  return wait;
}

Wait Queue::why_no_host(const Needs& needs) {
  auto& pool = draft_.pool();
  for (const auto& need : needs.all) {
    if (need.host_id.empty()) continue;
    const auto* host = pool.pool().find(need.host_id);
    if (!host || !host->is_open)
      return {.reason = WaitReason::named_host_closed, .subject = need.host_id.value};
    if (pool.has_room(need.host_id, need)) continue;
    const Wait reserved = need.reservation_id == 0 ? why_reserved(draft_, need) : Wait{};
    if (reserved.reason != WaitReason::unknown) return reserved;
    return {.reason = WaitReason::named_host_full, .subject = need.host_id.value};
  }
  if (!pool.pool().is_any_open(needs.all.front()))
    return {.reason = why_all_closed(draft_.view(), needs.all.front())};
  const bool is_any_number = needs.count_min < needs.all.size();
  const std::string enough =
      is_any_number ? "at least " + std::to_string(needs.count_min) + " of its nodes" : "";
  if (is_too_large(needs)) return {.reason = WaitReason::too_large_for_all, .detail = enough};
  for (const auto& need : needs.all)
    if (Wait reserved = why_reserved(draft_, need); reserved.reason != WaitReason::unknown)
      return reserved;
  return {.reason = WaitReason::no_room_for_all, .detail = enough};
}

/// True if it is known that the needs do not fit, or `try_to_fit` finds that.
template <class TryToFit>
bool Queue::find_misfit(Misfits& misfits, const Needs& needs, TryToFit try_to_fit) {
  const auto& first = needs.all.front();
  const bool are_comparable = first.host_id.empty() && are_alike(needs.all);
  const bool is_known = are_comparable && std::ranges::any_of(misfits, [&](const Misfit& one) {
                          return needs.count_min >= one.count && is_as_hard(first, one.need);
                        });
  if (is_known) return true;
  if (try_to_fit()) return false;
  if (are_comparable && misfits.size() < misfits_max)
    misfits.push_back({.need = first, .count = needs.count_min});
  return true;
}

bool Queue::is_too_large(const Needs& needs) {
  return find_misfit(too_large_, needs,
                     [&] { return !can_never_fit(draft_.pool().pool(), smallest(needs)); });
}

void Queue::place(msg::ComputesetId id) {
  const auto& stored = *draft_.computeset(id);
  if (const auto* named = draft_.reservation(stored.reservation_id);
      named && named->reservation.state == msg::ReservationState::planned)
    return set_wait(draft_, id,
                    wait_for(draft_, WaitReason::reservation_planned, stored.reservation_id));
  const auto ready = ready_nodes(draft_, stored);
  if (ready.missing.reason != WaitReason::unknown) return set_wait(draft_, id, ready.missing);
  const auto& needs = ready.needs;
  const auto found = heads_.find(choice_of(stored));
  auto* head = found == heads_.end() ? nullptr : &found->second;
  if (const auto hosts = find_hosts(head, needs)) {
    std::vector<msg::HostId> of_all(stored.computeset.nodes.size());
    for (std::size_t i = 0; i < hosts->size(); ++i) of_all[ready.nodes[i]] = (*hosts)[i];
    return start_computeset(draft_, id, of_all);
  }
  if (head && would_fit(needs))
    return set_wait(draft_, id,
                    {.reason = WaitReason::behind, .subject = std::to_string(head->id)});
  const Wait wait = why_no_room(needs);
  if (!head && waits_for_room(wait.reason)) head = promise(stored, needs);
  set_wait(draft_, id, wait, head && head->id == id ? head->promised.start_unix_s : 0);
}

std::expected<std::vector<msg::HostId>, Wait> Queue::find_more(const HostChoice& choice,
                                                               const Needs& needs) {
  const auto found = heads_.find(choice);
  auto* head = found == heads_.end() ? nullptr : &found->second;
  if (auto hosts = find_hosts(head, needs)) return *std::move(hosts);
  if (head && would_fit(needs))
    return std::unexpected(Wait{.reason = WaitReason::behind, .subject = std::to_string(head->id)});
  return std::unexpected(why_no_room(needs));
}

void Queue::keep_waiting(msg::ComputesetId id) {
  const auto& stored = *draft_.computeset(id);
  if (!heads_.contains(choice_of(stored)) && waits_for_room(stored.wait.reason))
    promise(stored, needs_of(draft_, stored));
}

/// Takes the room, if there is enough.
std::optional<std::vector<msg::HostId>> Queue::find_hosts(Head* head, const Needs& needs) {
  if (!head) return find_hosts(draft_.pool(), misfits_, needs);
  const bool is_longer = std::ranges::any_of(
      needs.all, [&](const Need& need) { return need.until_unix_s > head->promised.start_unix_s; });
  auto hosts = is_longer ? find_hosts(head->room, head->misfits, needs)
                         : find_hosts(draft_.pool(), misfits_, needs);
  if (hosts) take(*head, needs, *hosts, is_longer);
  return hosts;
}

std::optional<std::vector<msg::HostId>> Queue::find_hosts(HostPoolDraft& pool, Misfits& misfits,
                                                          const Needs& needs) {
  std::optional<std::vector<msg::HostId>> hosts;
  (void)find_misfit(misfits, needs, [&] {
    hosts = place_most(pool, needs, draft_.search_steps_left());
    return hosts.has_value();
  });
  return hosts;
}

/// It would fit if nothing were promised.
bool Queue::would_fit(const Needs& needs) {
  auto& pool = draft_.pool();
  const auto hosts = find_hosts(pool, misfits_, needs);
  if (!hosts) return false;
  for (std::size_t i = 0; i < hosts->size(); ++i)
    if (!(*hosts)[i].empty()) pool.give_back((*hosts)[i], needs.all[i].size);
  return true;
}

void Queue::take(Head& head, const Needs& needs, const std::vector<msg::HostId>& hosts,
                 bool is_longer) {
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& host_id = hosts[i];
    if (host_id.empty()) continue;
    const auto& size = needs.all[i].size;
    const auto left = head.promised.left.find(host_id);
    if (is_longer) {
      draft_.pool().take(host_id, size);
      if (left != head.promised.left.end()) left->second -= size;
    }
    const auto now = draft_.pool().free(host_id);
    const auto wanted = left == head.promised.left.end() ? now : lesser(now, left->second);
    const auto excess = head.room.free(host_id) - wanted;
    if (!(excess == Resources{})) head.room.take(host_id, excess);
  }
}

Queue::Head* Queue::promise(const StoredComputeset& stored, const Needs& needs) {
  auto promised = Outlook{draft_}.place(needs, draft_.search_steps_left());
  if (!promised) return nullptr;
  auto& head = heads_
                   .emplace(choice_of(stored), Head{.id = stored.computeset.computeset_id,
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

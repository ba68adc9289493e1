#include "services/scheduler/host_pool.hpp"

#include <algorithm>

namespace nucleus::scheduler {

namespace {

using Order = std::set<HostPool::Rank>;

/// The first host from `from` on with room that `is_passed` does not pass over; null if none has.
template <class Free, class IsPassed>
const HostPool::Rank* first_with_room(const Order& order, Order::const_iterator from,
                                      const Resources& need, const Free& free,
                                      const IsPassed& is_passed) {
  while (from != order.end()) {
    if (-from->cpus_free_negated < need.cpus) {
      if (from->is_suspect) return nullptr;
      from = order.lower_bound(
          {.is_suspect = true, .cpus_free_negated = std::numeric_limits<std::int64_t>::min()});
      continue;
    }
    if (!is_passed(from->host_id) && fits(need, free(from->host_id))) return &*from;
    ++from;
  }
  return nullptr;
}

}  // namespace

// A host that became smaller than what is placed there takes nothing from the sum.
template <class Change>
void HostPool::change(const msg::HostId& id, Change edit) {
  Host& host = hosts_[id];
  if (host.is_open) remove_open(id, host);
  edit(host);
  if (host.is_open) add_open(id, host);
  if (host == Host{}) hosts_.erase(id);  // it was removed
}

void HostPool::add_open(const msg::HostId& id, const Host& host) {
  groups_[{.hold = host.hold, .place = host.place}].insert(rank(id, host, host.free()));
  auto& rack = racks_[host.place.rack];
  rack.free += at_least_zero(host.free());
  ++rack.host_count;
  open_free_ += at_least_zero(host.free());
}

void HostPool::remove_open(const msg::HostId& id, const Host& host) {
  const auto group = groups_.find({.hold = host.hold, .place = host.place});
  group->second.erase(rank(id, host, host.free()));
  if (group->second.empty()) groups_.erase(group);
  const auto rack = racks_.find(host.place.rack);
  rack->second.free -= at_least_zero(host.free());
  if (--rack->second.host_count == 0) racks_.erase(rack);
  open_free_ -= at_least_zero(host.free());
}

void HostPool::put(const msg::HostId& id, const Resources& total, bool is_open, bool keeps_volumes,
                   bool is_suspect, const HostPlace& place) {
  change(id, [&](Host& host) {
    host.total = total;
    host.is_open = is_open;
    host.keeps_volumes = keeps_volumes;
    host.is_suspect = is_suspect;
    host.place = place;
  });
}

void HostPool::hold(const msg::HostId& id, const Hold& hold) {
  change(id, [&](Host& host) { host.hold = hold; });
}

void HostPool::use(const msg::HostId& id, const Resources& size) {
  change(id, [&](Host& host) { host.used += size; });
}

void HostPool::release(const msg::HostId& id, const Resources& size) {
  change(id, [&](Host& host) { host.used -= size; });
}

const HostPool::Host* HostPool::find(const msg::HostId& id) const {
  const auto found = hosts_.find(id);
  return found == hosts_.end() ? nullptr : &found->second;
}

bool HostPool::is_any_open(const Need& need) const {
  return std::ranges::any_of(groups_,
                             [&](const auto& group) { return suits(group.first.place, need); });
}

HostPoolDraft::HostPoolDraft(const HostPool& pool) : pool_{pool} {
  for (const auto& [key, order] : pool.groups())
    groups_[key] = {.order = &order, .untouched = order.begin()};
}

const msg::HostId* HostPoolDraft::find_roomiest(const Need& need,
                                                std::span<const msg::HostId> avoided) {
  return find_roomiest(need, avoided, nullptr);
}

const msg::HostId* HostPoolDraft::find_roomiest_in(const std::string& rack, const Need& need) {
  return find_roomiest(need, {}, &rack);
}

const msg::HostId* HostPoolDraft::find_roomiest(const Need& need,
                                                std::span<const msg::HostId> avoided,
                                                const std::string* rack) {
  if (!need.host_id.empty()) {
    const bool is_avoided = std::ranges::find(avoided, need.host_id) != avoided.end();
    return !is_avoided && has_room(need.host_id, need) ? &need.host_id : nullptr;
  }
  const HostPool::Rank* roomiest = nullptr;
  for (auto& [key, group] : groups_) {
    if ((rack && key.place.rack != *rack) || !is_allowed(key, need)) continue;
    const auto* found = find_roomiest(group, need, avoided);
    if (found && (!roomiest || *found < *roomiest)) roomiest = found;
  }
  return roomiest ? &roomiest->host_id : nullptr;
}

const HostPool::Rank* HostPoolDraft::find_roomiest(Group& group, const Need& need,
                                                   std::span<const msg::HostId> avoided) const {
  const auto end = group.order->end();
  while (group.untouched != end && free_.contains(group.untouched->host_id)) ++group.untouched;
  const auto free_of = [this](const msg::HostId& id) { return free(id); };
  const auto is_wrong = [&](const msg::HostId& id) {
    return (need.is_disk_in_store && pool_.find(id)->keeps_volumes) ||
           std::ranges::find(avoided, id) != avoided.end();
  };
  const auto* untouched =
      first_with_room(*group.order, group.untouched, need.size, free_of,
                      [&](const msg::HostId& id) { return free_.contains(id) || is_wrong(id); });
  const auto& order = group.touched;
  const auto* touched = first_with_room(order, order.begin(), need.size, free_of, is_wrong);
  if (!untouched || !touched) return untouched ? untouched : touched;
  return *untouched < *touched ? untouched : touched;
}

const HostPool::Hold* HostPoolDraft::find_hold(const Need& need) {
  const auto* named = pool_.find(need.host_id);
  for (auto& [key, group] : groups_) {
    const auto& hold = key.hold;
    if (!suits(key.place, need) || is_allowed(hold, need) || hold.reservation_id == 0) continue;
    const bool has_room = need.host_id.empty() ? find_roomiest(group, need) != nullptr
                                               : named && named->is_open && named->hold == hold &&
                                                     named->place == key.place &&
                                                     fits(need.size, free(need.host_id));
    if (has_room) return &hold;
  }
  return nullptr;
}

bool HostPoolDraft::has_room(const msg::HostId& id, const Need& need) const {
  const auto* host = pool_.find(id);
  return host && host->is_open && may_host(id, *host, need) && fits(need.size, free(id));
}

Resources HostPoolDraft::free(const msg::HostId& id) const {
  const auto found = free_.find(id);
  if (found != free_.end()) return found->second;
  const auto* host = pool_.find(id);
  return host ? host->free() : Resources{};
}

void HostPoolDraft::change(const msg::HostId& id, const Resources& taken) {
  const auto [found, is_new] = free_.try_emplace(id, free(id));
  const auto& host = *pool_.find(id);
  auto& touched = groups_.at({.hold = host.hold, .place = host.place}).touched;
  if (!is_new) touched.erase(HostPool::rank(id, host, found->second));
  found->second -= taken;
  touched.insert(HostPool::rank(id, host, found->second));
  taken_ += taken;
  taken_by_rack_[host.place.rack] += taken;
}

std::map<std::string, Resources> HostPoolDraft::free_by_rack() const {
  std::map<std::string, Resources> free;
  for (const auto& [name, rack] : pool_.racks()) free[name] = rack.free;
  for (const auto& [name, taken] : taken_by_rack_) free[name] -= taken;
  return free;
}

}  // namespace nucleus::scheduler

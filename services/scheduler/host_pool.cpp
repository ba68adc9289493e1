#include "services/scheduler/host_pool.hpp"

namespace nucleus::scheduler {

namespace {

/// The first host in `from..to` with room that `is_passed` does not pass over; null if none has.
template <class Iterator, class Free, class IsPassed>
const HostPool::Rank* first_with_room(Iterator from, Iterator to, const Resources& need,
                                      const Free& free, const IsPassed& is_passed) {
  for (; from != to && -from->cpus_free_negated >= need.cpus; ++from)
    if (!is_passed(from->host_id) && fits(need, free(from->host_id))) return &*from;
  return nullptr;
}

}  // namespace

// A host that became smaller than what is placed there takes nothing from the sum.
template <class Change>
void HostPool::change(const msg::HostId& id, Change edit) {
  Host& host = hosts_[id];
  if (host.is_open) {
    order_.erase(rank(id, host.free()));
    open_free_ -= at_least_zero(host.free());
  }
  edit(host);
  if (host.is_open) {
    order_.insert(rank(id, host.free()));
    open_free_ += at_least_zero(host.free());
  }
  if (host == Host{}) hosts_.erase(id);  // it was removed
}

void HostPool::put(const msg::HostId& id, const Resources& total, bool is_open,
                   bool keeps_volumes) {
  change(id, [&](Host& host) {
    host.total = total;
    host.is_open = is_open;
    host.keeps_volumes = keeps_volumes;
  });
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

const msg::HostId* HostPoolDraft::find_roomiest(const Need& need) {
  if (!need.host_id.empty()) return has_room(need.host_id, need) ? &need.host_id : nullptr;
  const auto end = pool_.order().end();
  while (untouched_ != end && free_.contains(untouched_->host_id)) ++untouched_;
  const auto free_of = [this](const msg::HostId& id) { return free(id); };
  const auto is_wrong = [&](const msg::HostId& id) {
    return need.is_disk_in_store && !may_host(id, *pool_.find(id), need);
  };
  const auto* untouched =
      first_with_room(untouched_, end, need.size, free_of,
                      [&](const msg::HostId& id) { return free_.contains(id) || is_wrong(id); });
  const auto* touched = first_with_room(order_.begin(), order_.end(), need.size, free_of, is_wrong);
  if (!untouched || !touched) {
    const auto* found = untouched ? untouched : touched;
    return found ? &found->host_id : nullptr;
  }
  return *untouched < *touched ? &untouched->host_id : &touched->host_id;
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
  if (!is_new) order_.erase(HostPool::rank(id, found->second));
  found->second -= taken;
  order_.insert(HostPool::rank(id, found->second));
  taken_ += taken;
}

}  // namespace nucleus::scheduler

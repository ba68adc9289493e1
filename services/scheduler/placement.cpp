#include "services/scheduler/placement.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace nucleus::scheduler {

namespace {

using Hosts = std::optional<std::vector<msg::HostId>>;

/// 0 = one host only, 1 = some hosts, 2 = any.
int choice_of(const Need& need) {
  return need.host_id.empty() ? (need.is_disk_in_store ? 1 : 2) : 0;
}

/// Each node on the host that `find_host` returns for its need: those with least choice first,
/// otherwise in order.
template <class FindHost>
Hosts spread(HostPoolDraft& pool, std::span<const Need> needs, FindHost find_host) {
  std::vector<std::size_t> order(needs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return choice_of(needs[i]); });
  std::vector<msg::HostId> hosts(needs.size());
  for (std::size_t done = 0; done < order.size(); ++done) {
    const auto& need = needs[order[done]];
    const msg::HostId* found = find_host(need);
    if (!found) {
      for (std::size_t i = 0; i < done; ++i) pool.give_back(hosts[order[i]], needs[order[i]].size);
      return std::nullopt;
    }
    hosts[order[done]] = *found;
    pool.take(hosts[order[done]], need.size);
  }
  return hosts;
}

bool are_alike(std::span<const Need> needs) {
  return std::ranges::all_of(needs, [&](const Need& need) { return need == needs.front(); });
}

Resources sum_of(std::span<const Need> needs) {
  return std::accumulate(needs.begin(), needs.end(), Resources{},
                         [](const Resources& sum, const Need& need) { return sum + need.size; });
}

constexpr std::size_t racks_tried_max = 8;

/// The names of the racks, the one with most CPUs free first.
std::vector<std::string> by_room(const std::map<std::string, Resources>& free_by_rack) {
  std::vector<std::string> racks;
  for (const auto& [name, free] : free_by_rack) racks.push_back(name);
  std::ranges::stable_sort(racks, std::greater{},
                           [&](const auto& name) { return free_by_rack.at(name).cpus; });
  return racks;
}

/// All nodes in one rack: of those with room, the one with least, so that larger ones are kept for
/// computesets that need them.
Hosts place_in_one_rack(HostPoolDraft& pool, std::span<const Need> needs,
                        const std::vector<std::string>& racks,
                        const std::map<std::string, Resources>& free_by_rack) {
  const auto sum = sum_of(needs);
  std::size_t tried = 0;
  for (auto rack = racks.rbegin(); rack != racks.rend() && tried < racks_tried_max; ++rack) {
    if (!fits(sum, free_by_rack.at(*rack))) continue;
    ++tried;
    auto hosts =
        spread(pool, needs, [&](const Need& need) { return pool.find_roomiest_in(*rack, need); });
    if (hosts) return hosts;
  }
  return std::nullopt;
}

/// Each node in the first rack that has room for it.
Hosts fill_racks(HostPoolDraft& pool, std::span<const Need> needs,
                 const std::vector<std::string>& racks) {
  const bool is_same_for_all = are_alike(needs);
  std::size_t first = 0;
  return spread(pool, needs, [&](const Need& need) -> const msg::HostId* {
    for (std::size_t i = first; i < racks.size(); ++i) {
      if (const auto* found = pool.find_roomiest_in(racks[i], need)) return found;
      if (is_same_for_all) first = i + 1;
    }
    return nullptr;
  });
}

/// As few racks as this finds; none if it finds no hosts.
Hosts place_near(HostPoolDraft& pool, std::span<const Need> needs) {
  if (pool.pool().racks().size() < 2 || needs.size() < 2) return std::nullopt;
  const auto free_by_rack = pool.free_by_rack();
  const auto racks = by_room(free_by_rack);
  if (auto hosts = place_in_one_rack(pool, needs, racks, free_by_rack)) return hosts;
  return fill_racks(pool, needs, racks);
}

/// The indexes of the needs, the smallest first; of equals, the one that names a host first.
std::vector<std::size_t> by_size(std::span<const Need> needs) {
  std::vector<std::size_t> order(needs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) {
    return std::tuple{needs[i].size.cpus, needs[i].size.memory_mb, choice_of(needs[i])};
  });
  return order;
}

/// Depth-first over the nodes, largest first, and the open hosts. Hosts of one kind with the same
/// free resources are tried once, and nodes with the same need take hosts in ascending order:
/// permutations of one placement are not tried again.
class Search {
 public:
  Search(const HostPoolDraft& pool, std::span<const Need> needs, std::size_t& steps_left)
      : needs_{needs}, order_(needs.size()), chosen_(needs.size()), steps_left_{steps_left} {
    for (const auto& [key, order] : pool.pool().groups())
      for (const auto& rank : order)
        hosts_.push_back({rank.host_id, pool.free(rank.host_id), pool.pool().find(rank.host_id)});
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // Those that name a host come first: what they leave is the same for all others.
    const auto rank = [&](std::size_t i) {
      const auto& need = needs_[i];
      return std::tuple{!need.host_id.empty(), need.size.cpus, need.size.memory_mb, need.host_id,
                        need.is_disk_in_store};
    };
    std::ranges::stable_sort(order_, std::greater{}, rank);
    // The fullest host first, so that large free hosts are kept for large nodes.
    std::ranges::stable_sort(hosts_, [](const Host& left, const Host& right) {
      return left.free.cpus < right.free.cpus;
    });
  }

  Hosts run() {
    if (!place(0)) return std::nullopt;
    std::vector<msg::HostId> hosts(needs_.size());
    for (std::size_t i = 0; i < order_.size(); ++i) hosts[order_[i]] = hosts_[chosen_[i]].id;
    return hosts;
  }

 private:
  struct Host {
    msg::HostId id;
    Resources free;
    const HostPool::Host* host;
  };
  /// Hosts of one kind can take the same nodes.
  struct Kind {
    Resources free;
    bool keeps_volumes;
    HostPool::Hold hold;
    HostPlace place;
    friend bool operator==(const Kind&, const Kind&) = default;
  };

  bool place(std::size_t i) {
    if (i == order_.size()) return true;
    const auto& need = needs_[order_[i]];
    const auto& size = need.size;
    const bool is_as_before = i > 0 && needs_[order_[i - 1]] == need;
    const std::size_t first = is_as_before ? chosen_[i - 1] : 0;
    std::vector<Kind> tried;
    for (std::size_t h = first; h < hosts_.size(); ++h) {
      if (steps_left_ == 0) return false;
      --steps_left_;
      auto& [id, free, host] = hosts_[h];
      if (!fits(size, free) || !may_host(id, *host, need)) continue;
      const Kind kind{free, host->keeps_volumes, host->hold, host->place};
      if (std::ranges::find(tried, kind) != tried.end()) continue;
      tried.push_back(kind);
      chosen_[i] = h;
      free -= size;
      if (place(i + 1)) return true;
      free += size;
    }
    return false;
  }

  std::span<const Need> needs_;
  std::vector<Host> hosts_ = {};
  std::vector<std::size_t> order_;   // of needs: as they are placed
  std::vector<std::size_t> chosen_;  // host of each, in that order
  std::size_t& steps_left_;
};

}  // namespace

std::optional<std::vector<msg::HostId>> place_together(HostPoolDraft& pool,
                                                       std::span<const Need> needs,
                                                       std::size_t& steps_left) {
  if (needs.empty()) return std::vector<msg::HostId>{};
  const bool are_all_named =
      std::ranges::none_of(needs, [](const Need& need) { return need.host_id.empty(); });
  if (!are_all_named && !fits(sum_of(needs), pool.open_free())) return std::nullopt;
  if (auto hosts = place_near(pool, needs)) return hosts;
  const auto find_roomiest = [&](const Need& need) { return pool.find_roomiest(need); };
  if (auto hosts = spread(pool, needs, find_roomiest)) return hosts;
  if (are_all_named || are_alike(needs)) return std::nullopt;
  auto hosts = Search(pool, needs, steps_left).run();
  if (hosts)
    for (std::size_t i = 0; i < needs.size(); ++i) pool.take((*hosts)[i], needs[i].size);
  return hosts;
}

std::optional<std::vector<msg::HostId>> place_most(HostPoolDraft& pool, const Needs& needs,
                                                   std::size_t& steps_left) {
  const auto& all = needs.all;
  if (auto hosts = place_together(pool, all, steps_left)) return hosts;
  if (needs.count_min == all.size()) return std::nullopt;
  const auto order = by_size(all);
  std::vector<msg::HostId> hosts(all.size());
  std::size_t placed = 0;
  for (const auto i : order) {
    const auto* found = pool.find_roomiest(all[i]);
    if (!found) continue;
    hosts[i] = *found;
    pool.take(hosts[i], all[i].size);
    ++placed;
  }
  if (placed >= needs.count_min) return hosts;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!hosts[i].empty()) pool.give_back(hosts[i], all[i].size);
  if (are_alike(all)) return std::nullopt;
  const auto fewest = place_together(pool, smallest(needs), steps_left);
  if (!fewest) return std::nullopt;
  hosts.assign(all.size(), {});
  for (std::size_t i = 0; i < fewest->size(); ++i) hosts[order[i]] = (*fewest)[i];
  return hosts;
}

std::vector<Need> smallest(const Needs& needs) {
  std::vector<Need> chosen;
  for (const auto i : by_size(needs.all))
    if (chosen.size() < needs.count_min) chosen.push_back(needs.all[i]);
  return chosen;
}

bool can_never_fit(const HostPool& pool, std::span<const Need> needs) {
  const auto count = static_cast<std::int64_t>(needs.size());
  const auto may_hold_any = [&](const HostPool::Host& host) {
    return std::ranges::any_of(needs, [&](const Need& need) { return suits(host.place, need); });
  };
  std::vector<Resources> sizes;  // those that no host seen so far could hold
  for (const auto& need : needs)
    if (std::ranges::find(sizes, need.size) == sizes.end()) sizes.push_back(need.size);
  if (sizes.size() == 1) {
    std::int64_t times = 0;
    for (const auto& [id, host] : pool.hosts()) {
      if (!may_hold_any(host)) continue;
      times += times_fitting(sizes.front(), host.total, count);
      if (times >= count) return false;
    }
    return true;
  }
  Resources total;
  for (const auto& [id, host] : pool.hosts()) {
    if (!may_hold_any(host)) continue;
    total += host.total;
    std::erase_if(sizes, [&](const Resources& size) { return fits(size, host.total); });
  }
  return !sizes.empty() || !fits(sum_of(needs), total);
}

}  // namespace nucleus::scheduler

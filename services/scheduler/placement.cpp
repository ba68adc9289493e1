#include "services/scheduler/placement.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace nucleus::scheduler {

namespace {

using Hosts = std::optional<std::vector<msg::HostId>>;

void give_back(HostPoolDraft& pool, std::span<const Need> needs,
               const std::vector<msg::HostId>& hosts) {
  for (std::size_t i = 0; i < hosts.size(); ++i) pool.give_back(hosts[i], needs[i].size);
}

/// Each node in order on the host with most CPUs free, or on the one it names.
Hosts spread(HostPoolDraft& pool, std::span<const Need> needs) {
  std::vector<msg::HostId> hosts;
  hosts.reserve(needs.size());
  for (const auto& need : needs) {
    const msg::HostId* found = nullptr;
    if (need.host_id.empty())
      found = pool.find_roomiest(need.size);
    else if (pool.has_room(need.host_id, need.size))
      found = &need.host_id;
    if (!found) {
      give_back(pool, needs, hosts);
      return std::nullopt;
    }
    hosts.push_back(*found);
    pool.take(hosts.back(), need.size);
  }
  return hosts;
}

bool is_one_size(std::span<const Need> needs) {
  return std::ranges::all_of(needs,
                             [&](const Need& need) { return need.size == needs.front().size; });
}

Resources sum_of(std::span<const Need> needs) {
  return std::accumulate(needs.begin(), needs.end(), Resources{},
                         [](const Resources& sum, const Need& need) { return sum + need.size; });
}

/// Depth-first over the nodes, largest first, and the open hosts. Hosts with the same free
/// resources are tried once, and nodes of one size take hosts in ascending order: permutations of
/// one placement are not tried again.
class Search {
 public:
  Search(const HostPoolDraft& pool, std::span<const Need> needs, std::size_t& steps_left)
      : needs_{needs}, order_(needs.size()), chosen_(needs.size()), steps_left_{steps_left} {
    for (const auto& rank : pool.pool().order())
      hosts_.push_back({rank.host_id, pool.free(rank.host_id)});
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, [&](std::size_t left, std::size_t right) {
      const auto& a = needs_[left].size;
      const auto& b = needs_[right].size;
      return std::tie(a.cpus, a.memory_mb) > std::tie(b.cpus, b.memory_mb);
    });
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
  };

  bool place(std::size_t i) {
    if (i == order_.size()) return true;
    const auto& size = needs_[order_[i]].size;
    const bool is_as_before = i > 0 && needs_[order_[i - 1]].size == size;
    const std::size_t first = is_as_before ? chosen_[i - 1] : 0;
    std::vector<Resources> tried;
    for (std::size_t h = first; h < hosts_.size(); ++h) {
      if (steps_left_ == 0) return false;
      --steps_left_;
      auto& free = hosts_[h].free;
      if (!fits(size, free) || std::ranges::find(tried, free) != tried.end()) continue;
      tried.push_back(free);
      chosen_[i] = h;
      free -= size;
      if (place(i + 1)) return true;
      free += size;
    }
    return false;
  }

  std::span<const Need> needs_;
  std::vector<Host> hosts_ = {};
  std::vector<std::size_t> order_;   // of needs: largest first
  std::vector<std::size_t> chosen_;  // host of each, in that order
  std::size_t& steps_left_;
};

}  // namespace

std::optional<std::vector<msg::HostId>> place_together(HostPoolDraft& pool,
                                                       std::span<const Need> needs,
                                                       std::size_t& steps_left) {
  if (needs.empty()) return std::vector<msg::HostId>{};
  const bool is_any_named =
      std::ranges::any_of(needs, [](const Need& need) { return !need.host_id.empty(); });
  if (!is_any_named && !fits(sum_of(needs), pool.open_free())) return std::nullopt;
  if (auto hosts = spread(pool, needs)) return hosts;
  if (is_any_named || is_one_size(needs)) return std::nullopt;
  auto hosts = Search(pool, needs, steps_left).run();
  if (hosts)
    for (std::size_t i = 0; i < needs.size(); ++i) pool.take((*hosts)[i], needs[i].size);
  return hosts;
}

bool can_never_fit(const HostPool& pool, std::span<const Need> needs) {
  const auto count = static_cast<std::int64_t>(needs.size());
  std::vector<Resources> sizes;  // those that no host seen so far could hold
  for (const auto& need : needs)
    if (std::ranges::find(sizes, need.size) == sizes.end()) sizes.push_back(need.size);
  if (sizes.size() == 1) {
    std::int64_t times = 0;
    for (const auto& [id, host] : pool.hosts()) {
      times += times_fitting(sizes.front(), host.total, count);
      if (times >= count) return false;
    }
    return true;
  }
  Resources total;
  for (const auto& [id, host] : pool.hosts()) {
    total += host.total;
    std::erase_if(sizes, [&](const Resources& size) { return fits(size, host.total); });
  }
  return !sizes.empty() || !fits(sum_of(needs), total);
}

}  // namespace nucleus::scheduler

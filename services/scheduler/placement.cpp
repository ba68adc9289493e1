#include "services/scheduler/placement.hpp"

#include <set>
#include <unordered_map>

namespace nucleus::scheduler {

namespace {

/// Rooms by what is free: most CPUs first, then by name.
class FreeRooms {
 public:
  explicit FreeRooms(std::vector<HostRoom>& rooms) : rooms_{rooms} {
    for (std::size_t i = 0; i < rooms_.size(); ++i) {
      order_.insert(rank(i));
      by_name_[rooms_[i].host_id] = i;
    }
  }

  std::optional<std::size_t> find(const Need& need) const {
    if (!need.host_id.empty()) {
      const auto named = by_name_.find(need.host_id);
      if (named == by_name_.end() || !fits(named->second, need)) return std::nullopt;
      return named->second;
    }
    for (const auto& [cpus_taken, name, i] : order_) {
      if (rooms_[i].cpus_free < need.cpus) return std::nullopt;  // no later one has more
      if (fits(i, need)) return i;
    }
    return std::nullopt;
  }

  void take(std::size_t i, const Need& need) {
    order_.erase(rank(i));
    rooms_[i].cpus_free -= need.cpus;
    rooms_[i].memory_free_mb -= need.memory_mb;
    order_.insert(rank(i));
  }

 private:
  using Rank = std::tuple<std::int64_t, std::string_view, std::size_t>;
  Rank rank(std::size_t i) const { return {-rooms_[i].cpus_free, rooms_[i].host_id.value, i}; }
  bool fits(std::size_t i, const Need& need) const {
    return rooms_[i].cpus_free >= need.cpus && rooms_[i].memory_free_mb >= need.memory_mb;
  }

  std::vector<HostRoom>& rooms_;
  std::set<Rank> order_ = {};
  std::unordered_map<msg::HostId, std::size_t> by_name_ = {};
};

}  // namespace

std::optional<std::vector<msg::HostId>> place_together(std::vector<HostRoom>& rooms,
                                                       const std::vector<Need>& needs) {
  std::vector<HostRoom> left = rooms;
  FreeRooms free(left);
  std::vector<msg::HostId> hosts;
  for (const auto& need : needs) {
    const auto found = free.find(need);
    if (!found) return std::nullopt;
    hosts.push_back(left[*found].host_id);
    free.take(*found, need);
  }
  rooms = std::move(left);
  return hosts;
}

}  // namespace nucleus::scheduler

// The choice of a VLAN.
#include "services/network/vlan_pool.hpp"

namespace nucleus::network {
namespace {

bool is_free(std::uint32_t vlan, const VlanRange& range, const VlanPool& pool) {
  return vlan != range.public_vlan && !pool.leased.contains(vlan) && !pool.resting.contains(vlan);
}

}  // namespace

std::optional<std::uint32_t> lowest_free_vlan(const VlanRange& range, const VlanPool& pool) {
  for (std::uint32_t vlan = range.first; vlan <= range.last; ++vlan)
    if (is_free(vlan, range, pool)) return vlan;
  return std::nullopt;
}

std::uint32_t count_free_vlans(const VlanRange& range, const VlanPool& pool) {
  std::uint32_t count = 0;
  for (std::uint32_t vlan = range.first; vlan <= range.last; ++vlan)
    count += is_free(vlan, range, pool);
  return count;
}

std::vector<std::uint32_t> rested_vlans(const VlanPool& pool, std::int64_t now_unix_s) {
  std::vector<std::uint32_t> rested;
  for (const auto& [vlan, until_unix_s] : pool.resting)
    if (until_unix_s <= now_unix_s) rested.push_back(vlan);
  return rested;
}

}  // namespace nucleus::network

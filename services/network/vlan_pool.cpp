#include "services/network/vlan_pool.hpp"

#include <algorithm>

#include "core/assert.hpp"

namespace nucleus::network {

VlanPool::VlanPool(const VlanRange& range) : range_{range} {
  for (std::uint32_t vlan = range.first; vlan <= range.last; ++vlan)
    if (vlan != range.public_vlan) free_.insert(free_.end(), vlan);
}

VlanState VlanPool::state(std::uint32_t vlan) const {
  if (leased_.contains(vlan)) return VlanState::leased;
  return quarantined_.contains(vlan) ? VlanState::quarantined : VlanState::free;
}

std::optional<std::uint32_t> VlanPool::lowest_free() const {
  if (free_.empty()) return std::nullopt;
  return *free_.begin();
}

std::size_t VlanPool::count(VlanState state) const {
  switch (state) {
    case VlanState::free:
      return free_.size();
    case VlanState::leased:
      return leased_.size();
    case VlanState::quarantined:
      return quarantined_.size();
    case VlanState::unknown:
      break;
  }
  return 0;
}

std::vector<std::uint32_t> VlanPool::due(std::int64_t now_unix_s) const {
  std::vector<std::uint32_t> vlans;
  for (const auto& [vlan, until_unix_s] : quarantined_)
    if (until_unix_s <= now_unix_s) vlans.push_back(vlan);
  return vlans;
}

void VlanPool::lease(std::uint32_t vlan) {
  require(vlan, VlanState::leased);
  free_.erase(vlan);
  leased_.insert(vlan);
}

void VlanPool::quarantine(std::uint32_t vlan, std::int64_t until_unix_s) {
  require(vlan, VlanState::quarantined);
  leased_.erase(vlan);
  quarantined_[vlan] = until_unix_s;
}

void VlanPool::release(std::uint32_t vlan) {
  require(vlan, VlanState::free);
  quarantined_.erase(vlan);
  if (vlan >= range_.first && vlan <= range_.last && vlan != range_.public_vlan) free_.insert(vlan);
}

void VlanPool::require(std::uint32_t vlan, VlanState next) const {
  NUCLEUS_ASSERT(std::ranges::find(vlan_transitions, std::pair{state(vlan), next}) !=
                 vlan_transitions.end());
}

}  // namespace nucleus::network

// The VLANs of a deployment and which of them a cluster may lease. Each VLAN is free, leased to one
// cluster, or quarantined after its cluster was removed. No I/O, no clock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "messages/fields.hpp"

namespace nucleus::network {

NUCLEUS_ENUM(VlanState, free, leased, quarantined)

/// Every change of a VLAN's state; the table in docs/states.md, held to it by a test.
constexpr std::array<std::pair<VlanState, VlanState>, 3> vlan_transitions = {{
    {VlanState::free, VlanState::leased},
    {VlanState::leased, VlanState::quarantined},
    {VlanState::quarantined, VlanState::free},
}};

struct VlanRange {
  std::uint32_t first = 0;        // 2..4094
  std::uint32_t last = 0;         // first..4094
  std::uint32_t public_vlan = 0;  // never leased to a cluster
};

/// Asserts that each change is in `vlan_transitions`. A VLAN outside the range, leased before the
/// range was narrowed, keeps its lease and is never free again.
class VlanPool {
 public:
  explicit VlanPool(const VlanRange& range);

  VlanState state(std::uint32_t vlan) const;
  /// The free VLAN with the lowest number, or nothing.
  std::optional<std::uint32_t> lowest_free() const;
  std::size_t count(VlanState state) const;
  /// The quarantined VLANs whose quarantine has ended, lowest first.
  std::vector<std::uint32_t> due(std::int64_t now_unix_s) const;

  void lease(std::uint32_t vlan);
  void quarantine(std::uint32_t vlan, std::int64_t until_unix_s);
  void release(std::uint32_t vlan);

 private:
  void require(std::uint32_t vlan, VlanState next) const;

  VlanRange range_;
  std::set<std::uint32_t> free_ = {};
  std::set<std::uint32_t> leased_ = {};
  std::map<std::uint32_t, std::int64_t> quarantined_ = {};  // with its end, Unix seconds
};

}  // namespace nucleus::network

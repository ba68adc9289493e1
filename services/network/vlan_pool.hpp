// Which VLAN a cluster gets. Pure functions; what is taken is said by the caller.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace nucleus::network {

struct VlanRange {
  std::uint32_t first = 0;        // 2..4094
  std::uint32_t last = 0;         // first..4094
  std::uint32_t public_vlan = 0;  // never a cluster's
};

/// The VLANs of a deployment: each leased to one cluster, or at rest, or free.
struct VlanPool {
  std::set<std::uint32_t> leased = {};
  std::map<std::uint32_t, std::int64_t> resting = {};  // until this second, Unix time
};

/// The lowest that nobody has and that does not rest; nothing where there is none.
std::optional<std::uint32_t> lowest_free_vlan(const VlanRange& range, const VlanPool& pool);
/// How many could be leased now.
std::uint32_t count_free_vlans(const VlanRange& range, const VlanPool& pool);
/// Those whose rest is over.
std::vector<std::uint32_t> rested_vlans(const VlanPool& pool, std::int64_t now_unix_s);

}  // namespace nucleus::network

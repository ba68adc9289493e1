// Which ports are members of the InfiniBand partitions, and when a placement's ports have joined or
// left them. Pure functions over the view and the last checks of the fabrics; the caller applies
// the plan.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "messages/adapters.hpp"
#include "services/network/driver/partitions.hpp"
#include "services/network/view.hpp"

namespace nucleus::network {

/// What the last check of a fabric found.
struct SeenFabric {
  bool is_managed = true;                  // false: it has no subnet manager to configure
  std::uint64_t changes = 0;               // View::member_changes when it began
  const FabricReading* reading = nullptr;  // null = it failed, or there was none
};
using SeenFabrics = std::map<std::string, SeenFabric>;  // by name: those in the settings

/// The ports of a placement's adapters. Without adapters and with the reason if they may not join:
/// a pkey is not leased to the cluster, a GUID is malformed, or another cluster has its port.
Plan plan_members(const View& view, const msg::AdaptersLeased& event);

/// They must leave. The id is in the view.
Plan plan_members_release(const View& view, const MembersId& id);

/// They have joined, or cannot for another reason than before, or have left; nothing if none of
/// these. The id is in the view.
std::optional<Plan> plan_settled(const View& view, const MembersId& id, const SeenFabrics& seen);

/// The members of each partition of the fabric.
Partitions wanted_partitions(const View& view, const std::string& fabric);
/// The ports on the fabric that are joining or leaving.
std::set<PortGuid> unsettled_ports(const View& view, const std::string& fabric);

/// The pkeys that have members, also such as must leave.
std::set<std::pair<std::string, std::uint32_t>> pkeys_with_members(const View& view);

struct MemberCounts {
  std::size_t joined = 0;
  std::size_t joining = 0;
  std::size_t leaving = 0;
};
MemberCounts count_members(const View& view);

}  // namespace nucleus::network

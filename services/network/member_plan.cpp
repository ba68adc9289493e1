#include "services/network/member_plan.hpp"

#include <algorithm>

#include "core/assert.hpp"

namespace nucleus::network {
namespace {

const View::Members& members_in(const View& view, const MembersId& id) {
  const auto* members = view.members(id);
  NUCLEUS_ASSERT(members);
  return *members;
}

/// The port that is made a member: OpenSM keeps the partitions of a VF in the table of its PF's
/// port.
PortGuid port_of(const msg::LeasedAdapter& leased) {
  const auto guid = parse_guid(msg::table_port(leased.adapter));
  NUCLEUS_ASSERT(guid);
  return *guid;
}

bool has_member(const StoredMembers& stored, const msg::LeasedAdapter& leased) {
  return std::ranges::any_of(stored.adapters, [&](const auto& one) {
    return msg::table_port(one.adapter) == msg::table_port(leased.adapter) &&
           one.adapter.fabric == leased.adapter.fabric && one.pkey == leased.pkey;
  });
}

bool has_adapter(const StoredMembers& stored, const msg::Adapter& adapter) {
  return std::ranges::any_of(
      stored.adapters, [&](const auto& one) { return one.adapter.port_guid == adapter.port_guid; });
}

/// Why the adapters may not join; empty = they may.
std::string refusal(const View& view, const msg::AdaptersLeased& event) {
  if (event.adapters.empty()) return "no adapter is leased";
  std::vector<msg::Adapter> adapters;
  for (const auto& leased : event.adapters) adapters.push_back(leased.adapter);
  if (const auto broken = msg::check(adapters)) return broken->detail;
  const auto* cluster = view.cluster(event.cluster_id);
  for (const auto& [adapter, pkey] : event.adapters) {
    const msg::FabricLease lease{.fabric = adapter.fabric, .pkey = pkey};
    if (!cluster || std::ranges::count(cluster->stored.network.fabrics, lease) == 0)
      return "fabric " + adapter.fabric + ": the cluster is not leased partition " +
             pkey_text(pkey);
    for (const auto& id : view.members_with(msg::table_port(adapter)))
      // A removed cluster may have had the same name, and another partition.
      if (const auto& other = members_in(view, id).stored;
          has_adapter(other, adapter) &&
          (other.cluster_id != event.cluster_id || !has_member(other, {adapter, pkey})))
        return "fabric " + adapter.fabric + ": port " + adapter.port_guid +
               " has not left another partition";
  }
  return {};
}

/// Nothing if the last check of the fabric does not know these members.
std::optional<std::string> reason_not_joined(const View::Members& members,
                                             const msg::LeasedAdapter& leased,
                                             const SeenFabrics& seen) {
  const auto& name = leased.adapter.fabric;
  const auto found = seen.find(name);
  if (found == seen.end()) return "fabric " + name + " is not in network.fabrics";
  const auto& fabric = found->second;
  if (!fabric.is_managed) return "";
  if (fabric.changes < members.since_change) return std::nullopt;
  if (!fabric.reading) return "fabric " + name + ": its subnet manager or a port does not answer";
  const auto port = fabric.reading->tables.find(port_of(leased));
  const auto text = "fabric " + name + ": port " + leased.adapter.port_guid;
  if (port == fabric.reading->tables.end()) return text + " is not on the fabric";
  if (port->second.contains(static_cast<std::uint16_t>(leased.pkey | full_member))) return "";
  return text + " is not in partition " + pkey_text(leased.pkey);
}

bool has_left(const View& view, const View::Members& members, const msg::LeasedAdapter& leased,
              const SeenFabrics& seen) {
  // Another placement of the cluster has the port in the same partition already.
  const auto is_handed_on = [&](const MembersId& id) {
    const auto& other = members_in(view, id).stored;
    return !other.is_released && has_member(other, leased);
  };
  if (std::ranges::any_of(view.members_with(msg::table_port(leased.adapter)), is_handed_on))
    return true;
  const auto found = seen.find(leased.adapter.fabric);
  if (found == seen.end() || !found->second.is_managed) return true;
  const auto& fabric = found->second;
  if (fabric.changes < members.since_change || !fabric.reading) return false;
  const auto port = fabric.reading->tables.find(port_of(leased));
  if (port == fabric.reading->tables.end()) return true;
  return !port->second.contains(static_cast<std::uint16_t>(leased.pkey)) &&
         !port->second.contains(static_cast<std::uint16_t>(leased.pkey | full_member));
}

std::optional<Plan> plan_joined(const View::Members& members, const SeenFabrics& seen) {
  if (members.stored.is_joined || members.stored.adapters.empty()) return std::nullopt;
  auto stored = members.stored;
  stored.reason.clear();
  bool is_known = true;
  for (const auto& leased : stored.adapters) {
    const auto reason = reason_not_joined(members, leased, seen);
    is_known = is_known && reason;
    if (!reason || reason->empty()) continue;
    stored.reason = *reason;
    break;
  }
  if (stored.reason.empty() && !is_known) return std::nullopt;
  stored.is_joined = stored.reason.empty();
  if (!stored.is_joined && stored.reason == members.stored.reason) return std::nullopt;
  return Plan{.members = {std::move(stored)}};
}

}  // namespace

Plan plan_members(const View& view, const msg::AdaptersLeased& event) {
  StoredMembers stored{.node_id = event.node_id,
                       .cluster_id = event.cluster_id,
                       .project_id = event.project_id,
                       .epoch = event.epoch,
                       .reason = refusal(view, event)};
  if (stored.reason.empty()) stored.adapters = event.adapters;
  return {.members = {std::move(stored)}};
}

Plan plan_members_release(const View& view, const MembersId& id) {
  auto stored = members_in(view, id).stored;
  stored.is_released = true;
  return {.members = {std::move(stored)}};
}

std::optional<Plan> plan_settled(const View& view, const MembersId& id, const SeenFabrics& seen) {
  const auto& members = members_in(view, id);
  const auto& stored = members.stored;
  if (!stored.is_released) return plan_joined(members, seen);
  for (const auto& leased : stored.adapters)
    if (!has_left(view, members, leased, seen)) return std::nullopt;
  return Plan{.members_left = {stored}};
}

Partitions wanted_partitions(const View& view, const std::string& fabric) {
  Partitions wanted;
  for (const auto& [id, members] : view.members()) {
    if (members.stored.is_released) continue;
    for (const auto& leased : members.stored.adapters)
      if (leased.adapter.fabric == fabric) wanted[leased.pkey].insert(port_of(leased));
  }
  return wanted;
}

std::set<PortGuid> unsettled_ports(const View& view, const std::string& fabric) {
  std::set<PortGuid> ports;
  for (const auto& [id, members] : view.members()) {
    if (members.stored.is_joined && !members.stored.is_released) continue;
    for (const auto& leased : members.stored.adapters)
      if (leased.adapter.fabric == fabric) ports.insert(port_of(leased));
  }
  return ports;
}

std::set<std::pair<std::string, std::uint32_t>> pkeys_with_members(const View& view) {
  std::set<std::pair<std::string, std::uint32_t>> pkeys;
  for (const auto& [id, members] : view.members())
    for (const auto& leased : members.stored.adapters)
      pkeys.emplace(leased.adapter.fabric, leased.pkey);
  return pkeys;
}

MemberCounts count_members(const View& view) {
  MemberCounts counts;
  for (const auto& [id, members] : view.members()) {
    const auto& stored = members.stored;
    ++(stored.is_released ? counts.leaving : stored.is_joined ? counts.joined : counts.joining);
  }
  return counts;
}

}  // namespace nucleus::network

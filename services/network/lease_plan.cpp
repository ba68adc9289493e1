#include "services/network/lease_plan.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "services/network/member_plan.hpp"

namespace nucleus::network {
namespace {

constexpr const char* no_public_address = "no public address is free: waiting for one";
constexpr const char* no_private_address = "no private address is free: waiting for one";
constexpr const char* no_mac = "no MAC is free: waiting for one";

const View::Cluster& cluster_in(const View& view, const msg::ClusterId& cluster_id) {
  const auto* cluster = view.cluster(cluster_id);
  NUCLEUS_ASSERT(cluster);
  return *cluster;
}

/// Adds a VLAN, and a pkey of each fabric if the cluster has InfiniBand. Returns the reason if one
/// of them is not free: then it adds none.
std::string lease_numbers(const View& view, StoredNetwork& stored) {
  const auto vlan = view.vlans().lowest_free();
  if (!vlan) return "no VLAN is free: waiting for one";
  std::vector<msg::FabricLease> leases;
  if (stored.has_infiniband && view.fabrics().empty())
    return "there is no InfiniBand fabric: waiting for one";
  for (const auto& fabric : view.fabrics()) {
    if (!stored.has_infiniband) break;
    const auto pkey = view.pkeys().at(fabric).lowest_free();
    if (!pkey) return "no pkey of fabric " + fabric + " is free: waiting for one";
    leases.push_back({.fabric = fabric, .pkey = *pkey});
  }
  stored.network.vlan = *vlan;
  stored.network.fabrics = std::move(leases);
  return {};
}

/// The count of issued MACs starts again after 2^24: MACs in use are skipped.
std::string next_mac(const View& view, Plan& plan) {
  std::uint64_t number = std::max(plan.macs_issued, view.macs_issued());
  std::string mac = mac_text(number++);
  while (view.is_mac_taken(mac)) mac = mac_text(number++);
  plan.macs_issued = number;
  return mac;
}

/// Adds the changed network to the plan, and all ports of its cluster with its prefix length and
/// name server.
void change_network(const View& view, const View::Cluster& cluster, StoredNetwork changed,
                    Plan& plan) {
  const auto subnet = parse_subnet(changed.network.subnet);
  NUCLEUS_ASSERT(subnet);
  for (const auto& node_id : cluster.nodes) {
    StoredPorts stored = *view.ports(node_id);
    if (stored.ports.empty()) continue;
    for (auto& port : stored.ports) {
      if (port.is_public) continue;
      port.prefix_length = subnet->prefix_length;
      port.name_server = changed.network.name_server;
    }
    plan.ports.push_back(std::move(stored));
  }
  plan.networks.push_back(std::move(changed));
}

/// Sets the name server as the mode asks for. The service address is leased from a wider subnet if
/// this one is full.
void set_name_server(StoredNetwork& stored, const std::set<Ipv4>& taken) {
  stored.network.name_server = {};
  if (stored.address_mode != msg::AddressMode::nucleus) return;
  auto subnet = parse_subnet(stored.network.subnet);
  NUCLEUS_ASSERT(subnet);
  for (std::optional<Subnet> tried = *subnet; tried && stored.service_address.empty();
       tried = widened(*tried))
    if (const auto address = choose_service_address(*tried, taken)) {
      stored.service_address = ipv4_text(*address);
      stored.network.subnet = subnet_text(*tried);
    }
  stored.network.name_server = stored.service_address;
}

struct PrivateAddress {
  Ipv4 address = 0;
  std::uint32_t prefix_length = 0;
};

std::optional<PrivateAddress> lease_private_address(const View& view, const View::Cluster& cluster,
                                                    std::uint32_t index, Plan& plan) {
  const auto parsed = parse_subnet(cluster.stored.network.subnet);
  NUCLEUS_ASSERT(parsed);
  Subnet subnet = *parsed;
  if (const auto address = choose_private_address(subnet, index, cluster.addresses))
    return PrivateAddress{*address, subnet.prefix_length};
  while (const auto wider = widened(subnet)) {
    subnet = *wider;
    if (const auto address = choose_private_address(subnet, index, cluster.addresses)) {
      auto wide = cluster.stored;
      wide.network.subnet = subnet_text(subnet);
      change_network(view, cluster, std::move(wide), plan);
      return PrivateAddress{*address, subnet.prefix_length};
    }
  }
  return std::nullopt;
}

/// Adds the ports to `node`; returns the reason if there can be none, else an empty text.
std::string lease_ports(const View& view, StoredPorts& node, Plan& plan) {
  const auto& cluster = cluster_in(view, node.cluster_id);
  if (cluster.stored.network.vlan == 0) return waiting_reason(view, cluster.stored);
  if (view.mac_count() + 2 > macs_max) return no_mac;
  const auto& public_subnet = view.public_subnet();
  const auto public_address = node.is_frontend
                                  ? lowest_free_address(public_subnet, view.public_addresses())
                                  : std::optional<Ipv4>{};
  if (node.is_frontend && !public_address) return no_public_address;
  const auto address = lease_private_address(view, cluster, node.index, plan);
  if (!address) return no_private_address;
  if (public_address)
    node.ports.push_back({.mac = next_mac(view, plan),
                          .ip = ipv4_text(*public_address),
                          .prefix_length = public_subnet.prefix_length,
                          .gateway = ipv4_text(public_gateway(public_subnet)),
                          .vlan = view.public_vlan(),
                          .is_public = true});
  node.ports.push_back({.mac = next_mac(view, plan),
                        .ip = ipv4_text(address->address),
                        .prefix_length = address->prefix_length,
                        .vlan = cluster.stored.network.vlan,
                        .name_server = cluster.stored.network.name_server});
  return {};
}

}  // namespace

Plan plan_network(const View& view, const msg::ClusterDefined& event, std::uint64_t event_id) {
  StoredNetwork stored{.network = {.cluster_id = event.cluster.cluster_id,
                                   .project_id = event.cluster.project_id,
                                   .subnet = subnet_text(private_subnet(event.cluster.node_count))},
                       .since_event = event_id,
                       .has_infiniband = event.cluster.has_infiniband,
                       .address_mode = event.cluster.address_mode};
  set_name_server(stored, {});
  (void)lease_numbers(view, stored);
  return {.networks = {std::move(stored)}};
}

std::string waiting_reason(const View& view, StoredNetwork stored) {
  auto reason = lease_numbers(view, stored);
  return reason.empty() ? "waiting for a VLAN" : reason;
}

Plan plan_ports(const View& view, StoredPorts node) {
  Plan plan;
  node.ports.clear();
  node.reason = lease_ports(view, node, plan);
  plan.ports.push_back(std::move(node));
  return plan;
}

std::optional<Plan> plan_address_mode(const View& view, const msg::ClusterId& cluster_id,
                                      msg::AddressMode mode) {
  const auto& cluster = cluster_in(view, cluster_id);
  const auto& stored = cluster.stored;
  auto changed = stored;
  changed.address_mode = mode;
  set_name_server(changed, cluster.addresses);
  if (mode == stored.address_mode && changed.service_address == stored.service_address)
    return std::nullopt;
  Plan plan;
  change_network(view, cluster, std::move(changed), plan);
  return plan;
}

Plan plan_cluster_removal(const View& view, const msg::ClusterId& cluster_id,
                          std::int64_t quarantine_end_unix_s) {
  const auto& cluster = cluster_in(view, cluster_id);
  Plan plan{.networks_removed = {cluster.stored.network},
            .ports_removed = {cluster.nodes.begin(), cluster.nodes.end()},
            .address_quarantines_ended = view.addresses_quarantined(cluster_id)};
  if (const auto vlan = cluster.stored.network.vlan; vlan != 0)
    plan.vlan_quarantines.push_back({.vlan = vlan, .until_unix_s = quarantine_end_unix_s});
  for (const auto& lease : cluster.stored.network.fabrics)
    plan.pkey_quarantines.push_back({.lease = lease, .until_unix_s = quarantine_end_unix_s});
  for (const auto& [id, members] : view.members())
    if (members.stored.cluster_id == cluster_id && !members.stored.is_released)
      plan.members.push_back(plan_members_release(view, id).members.front());
  return plan;
}

Plan plan_node_removal(const View& view, const msg::NodeId& node_id, std::int64_t now_unix_s,
                       std::int64_t quarantine_s) {
  const auto* stored = view.ports(node_id);
  NUCLEUS_ASSERT(stored);
  Plan plan{.ports_removed = {node_id}};
  for (const auto& port : stored->ports)
    if (!port.is_public && quarantine_s > 0)
      plan.address_quarantines.push_back({.cluster_id = stored->cluster_id,
                                          .ip = port.ip,
                                          .until_unix_s = now_unix_s + quarantine_s});
  return plan;
}

std::optional<Plan> plan_quarantine_ends(const View& view, std::int64_t now_unix_s) {
  Plan ended{.vlan_quarantines_ended = view.vlans().due(now_unix_s),
             .address_quarantines_ended = view.addresses_due(now_unix_s)};
  const auto with_members = pkeys_with_members(view);
  for (const auto& [fabric, pool] : view.pkeys())
    for (const auto pkey : pool.due(now_unix_s))
      if (!with_members.contains({fabric, pkey}))
        ended.pkey_quarantines_ended.push_back({.fabric = fabric, .pkey = pkey});
  if (ended.vlan_quarantines_ended.empty() && ended.pkey_quarantines_ended.empty() &&
      ended.address_quarantines_ended.empty())
    return std::nullopt;
  return ended;
}

std::optional<Plan> plan_waiting(const View& view) {
  for (const auto& [event_id, cluster_id] : view.clusters_waiting()) {
    auto stored = cluster_in(view, cluster_id).stored;
    if (lease_numbers(view, stored).empty()) return Plan{.networks = {std::move(stored)}};
  }
  for (const auto& cluster_id : view.name_servers_waiting())
    if (auto plan = plan_address_mode(view, cluster_id, msg::AddressMode::nucleus)) return plan;
  for (const auto& [event_id, node_id] : view.nodes_waiting()) {
    const auto& node = *view.ports(node_id);
    auto plan = plan_ports(view, node);
    const auto& planned = plan.ports.back();
    if (!planned.ports.empty() || planned.reason != node.reason) return plan;
  }
  return std::nullopt;
}

}  // namespace nucleus::network

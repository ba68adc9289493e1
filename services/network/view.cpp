#include "services/network/view.hpp"

#include "core/assert.hpp"

namespace nucleus::network {
namespace {

Ipv4 address_of(const std::string& ip) {
  const auto address = parse_ipv4(ip);
  NUCLEUS_ASSERT(address);
  return *address;
}

}  // namespace

View::View(const Config& config)
    : public_vlan_{config.vlans.reserved},
      public_subnet_{config.public_subnet},
      vlans_{config.vlans} {
  for (const auto& [name, fabric] : config.fabrics) {
    pkeys_.emplace(name, NumberPool{fabric.pkeys});
    fabrics_.insert(name);
  }
}

const View::Cluster* View::cluster(const msg::ClusterId& cluster_id) const {
  const auto found = clusters_.find(cluster_id);
  return found == clusters_.end() ? nullptr : &found->second;
}

const StoredPorts* View::ports(const msg::NodeId& node_id) const {
  const auto found = ports_.find(node_id);
  return found == ports_.end() ? nullptr : &found->second;
}

const View::Members* View::members(const MembersId& id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const std::set<MembersId>& View::members_with(const std::string& port_guid) const {
  static const std::set<MembersId> none;
  const auto found = members_with_.find(port_guid);
  return found == members_with_.end() ? none : found->second;
}

std::vector<StoredAddressQuarantine> View::addresses_due(std::int64_t now_unix_s) const {
  std::vector<StoredAddressQuarantine> due;
  for (const auto& [until_unix_s, cluster_id, ip] : address_quarantines_) {
    if (until_unix_s > now_unix_s) break;
    due.push_back({.cluster_id = cluster_id, .ip = ip, .until_unix_s = until_unix_s});
  }
  return due;
}

std::vector<StoredAddressQuarantine> View::addresses_quarantined(const msg::ClusterId& id) const {
  std::vector<StoredAddressQuarantine> quarantined;
  for (const auto& [until_unix_s, cluster_id, ip] : address_quarantines_)
    if (cluster_id == id)
      quarantined.push_back({.cluster_id = id, .ip = ip, .until_unix_s = until_unix_s});
  return quarantined;
}

void View::apply(const Plan& plan) {
  for (const auto& node_id : plan.ports_removed) remove_ports(node_id);
  for (const auto& ended : plan.address_quarantines_ended) {
    address_quarantines_.erase({ended.until_unix_s, ended.cluster_id, ended.ip});
    clusters_.at(ended.cluster_id).addresses.erase(address_of(ended.ip));
  }
  for (const auto& network : plan.networks_removed) remove_network(network);
  for (const auto& one : plan.vlan_quarantines) vlans_.quarantine(one.vlan, one.until_unix_s);
  for (const auto vlan : plan.vlan_quarantines_ended) vlans_.release(vlan);
  for (const auto& one : plan.pkey_quarantines)
    pkeys_[one.lease.fabric].quarantine(one.lease.pkey, one.until_unix_s);
  for (const auto& lease : plan.pkey_quarantines_ended) pkeys_[lease.fabric].release(lease.pkey);
  for (const auto& network : plan.networks) put(network);
  for (const auto& one : plan.address_quarantines) {
    address_quarantines_.insert({one.until_unix_s, one.cluster_id, one.ip});
    clusters_.at(one.cluster_id).addresses.insert(address_of(one.ip));
  }
  for (const auto& ports : plan.ports) put(ports);
  for (const auto& members : plan.members_left) remove_members(id_of(members));
  for (const auto& members : plan.members) put(members);
  if (plan.macs_issued != 0) macs_issued_ = plan.macs_issued;
#ifndef NDEBUG
  check();
#endif
}

void View::load(const Plan& records, std::uint64_t member_changes) {
  NUCLEUS_ASSERT(clusters_.empty() && ports_.empty() && members_.empty());
  member_changes_ = member_changes;
  for (const auto& one : records.vlan_quarantines) vlans_.lease(one.vlan);
  for (const auto& one : records.pkey_quarantines) pkeys_[one.lease.fabric].lease(one.lease.pkey);
  apply(records);
}

void View::put(const StoredNetwork& network) {
  auto& cluster = clusters_[network.network.cluster_id];
  const bool is_new_lease = cluster.stored.network.vlan == 0 && network.network.vlan != 0;
  const auto& address = network.service_address;
  // Once leased, it stays the same.
  const bool is_new_address = cluster.stored.service_address != address;
  NUCLEUS_ASSERT(!is_new_address || cluster.stored.service_address.empty());
  if (is_new_address) NUCLEUS_ASSERT(cluster.addresses.insert(address_of(address)).second);
  cluster.stored = network;
  if (network.address_mode == msg::AddressMode::nucleus && address.empty())
    name_servers_waiting_.insert(network.network.cluster_id);
  else
    name_servers_waiting_.erase(network.network.cluster_id);
  if (network.network.vlan == 0) {
    clusters_waiting_[network.since_event] = network.network.cluster_id;
    return;
  }
  if (!is_new_lease) return;
  vlans_.lease(network.network.vlan);
  for (const auto& lease : network.network.fabrics) pkeys_[lease.fabric].lease(lease.pkey);
  clusters_waiting_.erase(network.since_event);
  for (const auto& node_id : cluster.nodes)
    nodes_waiting_[ports_.at(node_id).since_event] = node_id;
}

void View::put(const StoredPorts& ports) {
  if (ports_.contains(ports.node_id)) remove_ports(ports.node_id);
  auto& cluster = clusters_.at(ports.cluster_id);
  cluster.nodes.insert(ports.node_id);
  for (const auto& port : ports.ports) {
    auto& addresses = port.is_public ? public_addresses_ : cluster.addresses;
    const bool is_new_address = addresses.insert(address_of(port.ip)).second;
    const bool is_new_mac = macs_.insert(port.mac).second;
    NUCLEUS_ASSERT(is_new_address && is_new_mac);
  }
  if (ports.ports.empty() && cluster.stored.network.vlan != 0)
    nodes_waiting_[ports.since_event] = ports.node_id;
  ports_[ports.node_id] = ports;
}

void View::remove_ports(const msg::NodeId& node_id) {
  const auto found = ports_.find(node_id);
  NUCLEUS_ASSERT(found != ports_.end());
  auto& cluster = clusters_.at(found->second.cluster_id);
  for (const auto& port : found->second.ports) {
    (port.is_public ? public_addresses_ : cluster.addresses).erase(address_of(port.ip));
    macs_.erase(port.mac);
  }
  cluster.nodes.erase(node_id);
  nodes_waiting_.erase(found->second.since_event);
  ports_.erase(found);
}

void View::put(const StoredMembers& members) {
  const auto [entry, is_new] = members_.try_emplace(id_of(members));
  auto& [stored, since_change] = entry->second;
  if (is_new || stored.is_released != members.is_released) since_change = ++member_changes_;
  NUCLEUS_ASSERT(is_new || stored.adapters == members.adapters);
  stored = members;
  for (const auto& leased : members.adapters)
    members_with_[msg::table_port(leased.adapter)].insert(entry->first);
}

void View::remove_members(const MembersId& id) {
  const auto found = members_.find(id);
  NUCLEUS_ASSERT(found != members_.end());
  for (const auto& leased : found->second.stored.adapters) {
    const auto with_port = members_with_.find(msg::table_port(leased.adapter));
    if (with_port == members_with_.end()) continue;  // two of its adapters have this port
    with_port->second.erase(id);
    if (with_port->second.empty()) members_with_.erase(with_port);
  }
  members_.erase(found);
}

void View::remove_network(const msg::ClusterNetwork& network) {
  const auto found = clusters_.find(network.cluster_id);
  NUCLEUS_ASSERT(found != clusters_.end() && found->second.nodes.empty());
  const auto& address = found->second.stored.service_address;
  if (!address.empty()) found->second.addresses.erase(address_of(address));
  NUCLEUS_ASSERT(found->second.addresses.empty());
  clusters_waiting_.erase(found->second.stored.since_event);
  name_servers_waiting_.erase(network.cluster_id);
  clusters_.erase(found);
}

void View::check() const {
  std::set<std::uint32_t> vlans;
  std::map<std::string, std::set<std::uint32_t>> pkeys;
  std::size_t nodes = 0;
  std::size_t private_addresses = 0;
  std::size_t service_addresses = 0;
  for (const auto& [cluster_id, cluster] : clusters_) {
    const auto vlan = cluster.stored.network.vlan;
    nodes += cluster.nodes.size();
    private_addresses += cluster.addresses.size();
    service_addresses += cluster.stored.service_address.empty() ? 0 : 1;
    NUCLEUS_ASSERT((vlan == 0) == clusters_waiting_.contains(cluster.stored.since_event));
    if (vlan == 0) continue;
    NUCLEUS_ASSERT(vlans.insert(vlan).second);
    NUCLEUS_ASSERT(vlans_.state(vlan) == NumberState::leased);
    for (const auto& [fabric, pkey] : cluster.stored.network.fabrics) {
      NUCLEUS_ASSERT(pkeys[fabric].insert(pkey).second);
      NUCLEUS_ASSERT(pkeys_.at(fabric).state(pkey) == NumberState::leased);
    }
  }
  NUCLEUS_ASSERT(vlans.size() == vlans_.count(NumberState::leased));
  for (const auto& [fabric, pool] : pkeys_)
    NUCLEUS_ASSERT(pkeys[fabric].size() == pool.count(NumberState::leased));
  NUCLEUS_ASSERT(nodes == ports_.size());
  std::size_t public_ports = 0;
  std::size_t private_ports = 0;
  std::size_t waiting = 0;
  for (const auto& [node_id, stored] : ports_) {
    check_ports(stored);
    for (const auto& port : stored.ports) ++(port.is_public ? public_ports : private_ports);
    waiting += nodes_waiting_.contains(stored.since_event);
  }
  NUCLEUS_ASSERT(waiting == nodes_waiting_.size());
  NUCLEUS_ASSERT(public_ports == public_addresses_.size());
  NUCLEUS_ASSERT(private_ports + address_quarantines_.size() + service_addresses ==
                 private_addresses);
  NUCLEUS_ASSERT(public_ports + private_ports == macs_.size());
  check_members();
}

/// A pkey has members of one cluster, and is not leased to another while it has some; a port is in
/// partitions of one cluster.
void View::check_members() const {
  std::map<std::string, msg::ClusterId> owners;
  for (const auto& [id, members] : members_) {
    const auto& stored = members.stored;
    NUCLEUS_ASSERT(id == id_of(stored) && members.since_change <= member_changes_);
    for (const auto& [adapter, pkey] : stored.adapters) {
      NUCLEUS_ASSERT(members_with(msg::table_port(adapter)).contains(id));
      const auto state = pkeys_.at(adapter.fabric).state(pkey);
      NUCLEUS_ASSERT(state != NumberState::free);
      NUCLEUS_ASSERT(stored.is_released || state == NumberState::leased);
      for (const auto& owned : {adapter.port_guid, adapter.fabric + "/" + std::to_string(pkey)})
        NUCLEUS_ASSERT(owners.try_emplace(owned, stored.cluster_id).first->second ==
                       stored.cluster_id);
    }
  }
}

void View::check_ports(const StoredPorts& stored) const {
  const auto& cluster = clusters_.at(stored.cluster_id);
  NUCLEUS_ASSERT(cluster.nodes.contains(stored.node_id));
  const bool is_waiting = stored.ports.empty() && cluster.stored.network.vlan != 0;
  NUCLEUS_ASSERT(is_waiting == nodes_waiting_.contains(stored.since_event));
  for (const auto& port : stored.ports)
    NUCLEUS_ASSERT(port.is_public || (port.vlan == cluster.stored.network.vlan &&
                                      port.name_server == cluster.stored.network.name_server));
}

}  // namespace nucleus::network

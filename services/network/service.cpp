// The network service's handlers.
#include "services/network/service.hpp"

#include "core/log/log.hpp"
#include "services/network/keys.hpp"

namespace nucleus::network {
namespace {

constexpr const char* no_vlan = "no VLAN is free: waiting for one";
constexpr const char* no_public_address = "no public address is free: waiting for one";

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : store_{runtime.store}, config_{config}, metrics_{runtime.metrics} {
  runtime.store.on_loaded([this] { rebuild_indexes(); });
  auto& bus = runtime.bus;
  bus.serve<msg::ListNetworks>(*this, &Service::list_networks);
  bus.subscribe<msg::ClusterDefined>(*this, &Service::lease_network);
  bus.subscribe<msg::NodeDefined>(*this, &Service::lease_node_ports);
  bus.subscribe<msg::ClusterRemoved>(*this, &Service::release);
  bus.subscribe<msg::NodeRemoved>(*this, &Service::release_ports);
  bus.every(core::Milliseconds{config_.sweep_ms}, *this, &Service::serve_waiting);
}

core::Result<msg::ClusterNetworks> Service::list_networks(const msg::ListNetworks&,
                                                          core::Context&) {
  msg::ClusterNetworks reply;
  store_.for_each<StoredNetwork>(keys::networks(), [&](const StoredNetwork& stored) {
    if (stored.network.vlan != 0) reply.networks.push_back(stored.network);
  });
  return reply;
}

core::Result<void> Service::lease_network(const msg::ClusterDefined& event,
                                          core::Context& context) {
  const auto& cluster = event.cluster;
  auto tx = store_.begin(context);
  if (tx.read(keys::network(cluster.cluster_id))) return {};  // changed, not new
  StoredNetwork stored{.network = {.cluster_id = cluster.cluster_id,
                                   .project_id = cluster.project_id,
                                   .subnet = subnet_text(private_subnet(cluster.node_count))},
                       .since_event = context.event_id()};
  if (!give_vlan(tx, stored)) {
    clusters_waiting_[stored.since_event] = cluster.cluster_id;
    tx.write(keys::network(cluster.cluster_id), stored);
    core::log::warning("vlan_pool_exhausted", {{"cluster", cluster.cluster_id.value}});
  }
  show_counts();
  return tx.commit();
}

core::Result<void> Service::lease_node_ports(const msg::NodeDefined& event,
                                             core::Context& context) {
  const auto& node = event.node;
  auto tx = store_.begin(context);
  if (tx.read(keys::ports(node.node_id))) return {};  // changed, not new: it keeps its ports
  const auto* network = tx.read(keys::network(node.cluster_id));
  if (!network)
    return core::refuse(core::ErrorCode::internal,
                        "a node of a cluster without a network: " + node.cluster_id.value);
  nodes_of_[node.cluster_id].push_back(node.node_id);
  lease_ports(tx,
              {.node_id = node.node_id,
               .cluster_id = node.cluster_id,
               .project_id = node.project_id,
               .is_frontend = node.kind == msg::NodeKind::frontend,
               .index = node.index,
               .since_event = context.event_id()},
              network->network);
  show_addresses();
  return tx.commit();
}

core::Result<void> Service::release(const msg::ClusterRemoved& event, core::Context& context) {
  const auto& cluster_id = event.cluster.cluster_id;
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::network(cluster_id));
  if (!found) return {};
  const StoredNetwork stored = *found;
  for (const auto& node_id : nodes_of_[cluster_id]) {
    if (const auto* ports = tx.read(keys::ports(node_id))) free(*ports);
    tx.remove(keys::ports(node_id));
  }
  nodes_of_.erase(cluster_id);
  clusters_waiting_.erase(stored.since_event);
  tx.remove(keys::network(cluster_id));
  if (const auto vlan = stored.network.vlan; vlan != 0) {
    const auto until_unix_s = context.now_unix_s() + config_.vlan_quarantine_s;
    vlans_.leased.erase(vlan);
    vlans_.resting[vlan] = until_unix_s;
    tx.write(keys::rest(vlan), StoredRest{.vlan = vlan, .until_unix_s = until_unix_s});
    tx.emit(msg::NetworkReleased{stored.network});
  }
  serve_waiting_frontends(tx);  // before a newcomer takes what was freed
  show_counts();
  return tx.commit();
}

core::Result<void> Service::release_ports(const msg::NodeRemoved& event, core::Context& context) {
  auto tx = store_.begin(context);
  const auto key = keys::ports(event.node.node_id);
  const auto* ports = tx.read(key);
  if (!ports) return {};
  free(*ports);
  std::erase(nodes_of_[event.node.cluster_id], event.node.node_id);
  tx.remove(key);
  show_addresses();
  return tx.commit();
}

void Service::serve_waiting(core::Context& context) {
  auto tx = store_.begin(context);
  bool is_changed = end_rests(tx, context.now_unix_s());
  is_changed |= serve_waiting_clusters(tx);
  is_changed |= serve_waiting_frontends(tx);
  if (!is_changed) return;
  show_counts();
  // Where it does not land, the store is loaded again, and the indexes with it.
  (void)tx.commit();
}

bool Service::end_rests(core::Transaction& tx, std::int64_t now_unix_s) {
  const auto rested = rested_vlans(vlans_, now_unix_s);
  for (const auto vlan : rested) {
    vlans_.resting.erase(vlan);
    tx.remove(keys::rest(vlan));
  }
  return !rested.empty();
}

bool Service::serve_waiting_clusters(core::Transaction& tx) {
  bool is_changed = false;
  while (!clusters_waiting_.empty()) {
    const auto first = clusters_waiting_.begin();
    StoredNetwork stored = *tx.read(keys::network(first->second));
    if (!give_vlan(tx, stored)) break;
    clusters_waiting_.erase(first);
    is_changed = true;
    for (const auto& node_id : nodes_of_[stored.network.cluster_id])
      lease_ports(tx, *tx.read(keys::ports(node_id)), stored.network);
  }
  return is_changed;
}

bool Service::serve_waiting_frontends(core::Transaction& tx) {
  bool is_changed = false;
  while (!frontends_waiting_.empty() && lowest_free_address(config_.public_subnet, public_taken_)) {
    const auto first = frontends_waiting_.begin();
    const StoredPorts record = *tx.read(keys::ports(first->second));
    frontends_waiting_.erase(first);
    lease_ports(tx, record, tx.read(keys::network(record.cluster_id))->network);
    is_changed = true;
  }
  return is_changed;
}

/// Leases a VLAN to a cluster that has none; false where none is free.
bool Service::give_vlan(core::Transaction& tx, StoredNetwork& stored) {
  const auto vlan = lowest_free_vlan(config_.vlans, vlans_);
  if (!vlan) return false;
  vlans_.leased.insert(*vlan);
  stored.network.vlan = *vlan;
  tx.write(keys::network(stored.network.cluster_id), stored);
  tx.emit(msg::NetworkLeased{stored.network});
  return true;
}

/// Gives a node its ports or the reason why it has none, and tells.
void Service::lease_ports(core::Transaction& tx, StoredPorts record,
                          const msg::ClusterNetwork& network) {
  record.ports.clear();
  record.reason = plan_ports(tx, record, network);
  take(record);
  tx.emit(msg::PortsLeased{.node_id = record.node_id,
                           .cluster_id = record.cluster_id,
                           .project_id = record.project_id,
                           .ports = record.ports,
                           .reason = record.reason});
  const auto key = keys::ports(record.node_id);
  tx.write(key, std::move(record));
}

/// Fills in the ports, the public one first; the reason where there can be none, empty else.
std::string Service::plan_ports(core::Transaction& tx, StoredPorts& record,
                                const msg::ClusterNetwork& network) {
  if (network.vlan == 0) return no_vlan;
  const auto subnet = parse_subnet(network.subnet);
  if (!subnet) return "the cluster's subnet is broken: " + msg::shown(network.subnet);
  const auto address = private_address(*subnet, record.index);
  if (!address) return "the cluster's subnet " + network.subnet + " is full";
  if (macs_taken_.size() + 2 > macs_max) return "no MAC is free";
  if (record.is_frontend) {
    const auto& outside = config_.public_subnet;
    const auto public_address = lowest_free_address(outside, public_taken_);
    if (!public_address) return no_public_address;
    record.ports.push_back({.mac = next_mac(tx),
                            .ip = ipv4_text(*public_address),
                            .prefix_length = outside.prefix_length,
                            .gateway = ipv4_text(public_gateway(outside)),
                            .vlan = config_.vlans.public_vlan,
                            .is_public = true});
  }
  record.ports.push_back({.mac = next_mac(tx),
                          .ip = ipv4_text(*address),
                          .prefix_length = subnet->prefix_length,
                          .vlan = network.vlan});
  return {};
}

/// The next MAC that no port has: the count goes round after 2^24 of them.
std::string Service::next_mac(core::Transaction& tx) {
  const auto* stored = tx.read(keys::mac_count());
  std::uint64_t number = stored ? stored->given : 0;
  std::string mac = mac_text(number++);
  while (macs_taken_.contains(mac)) mac = mac_text(number++);
  tx.write(keys::mac_count(), StoredMacCount{number});
  return mac;
}

void Service::take(const StoredPorts& record) {
  for (const auto& port : record.ports) {
    macs_taken_.insert(port.mac);
    if (const auto address = parse_ipv4(port.ip); port.is_public && address)
      public_taken_.insert(*address);
  }
  if (record.reason == no_public_address) frontends_waiting_[record.since_event] = record.node_id;
}

void Service::free(const StoredPorts& record) {
  for (const auto& port : record.ports) {
    macs_taken_.erase(port.mac);
    if (const auto address = parse_ipv4(port.ip); port.is_public && address)
      public_taken_.erase(*address);
  }
  frontends_waiting_.erase(record.since_event);
}

void Service::rebuild_indexes() {
  vlans_ = {};
  public_taken_.clear();
  macs_taken_.clear();
  nodes_of_.clear();
  clusters_waiting_.clear();
  frontends_waiting_.clear();
  store_.for_each<StoredNetwork>(keys::networks(), [this](const StoredNetwork& stored) {
    if (stored.network.vlan != 0)
      vlans_.leased.insert(stored.network.vlan);
    else
      clusters_waiting_[stored.since_event] = stored.network.cluster_id;
  });
  store_.for_each<StoredRest>(keys::rests(), [this](const StoredRest& rest) {
    vlans_.resting[rest.vlan] = rest.until_unix_s;
  });
  store_.for_each<StoredPorts>(keys::all_ports(), [this](const StoredPorts& record) {
    nodes_of_[record.cluster_id].push_back(record.node_id);
    take(record);
  });
  show_counts();
}

void Service::show_counts() {
  metrics_.vlans_leased.Set(static_cast<double>(vlans_.leased.size()));
  metrics_.vlans_resting.Set(static_cast<double>(vlans_.resting.size()));
  metrics_.vlans_free.Set(count_free_vlans(config_.vlans, vlans_));
  metrics_.clusters_waiting.Set(static_cast<double>(clusters_waiting_.size()));
  show_addresses();
}

void Service::show_addresses() {
  const auto all = static_cast<double>(count_public_addresses(config_.public_subnet));
  metrics_.public_addresses_free.Set(all - static_cast<double>(public_taken_.size()));
  metrics_.frontends_waiting.Set(static_cast<double>(frontends_waiting_.size()));
}

}  // namespace nucleus::network

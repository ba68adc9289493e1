// The network service says who may talk to whom: a VLAN and a subnet for each cluster, ports with
// MAC and addresses for each node. It alone leases them. Everything here runs on the service's one
// loop.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "services/network/config.hpp"
#include "services/network/metrics.hpp"
#include "services/network/records.hpp"

namespace nucleus::network {

class Service {
 public:
  Service(core::Runtime& runtime, Config config);

 private:
  core::Result<msg::ClusterNetworks> list_networks(const msg::ListNetworks& request,
                                                   core::Context& context);
  core::Result<void> lease_network(const msg::ClusterDefined& event, core::Context& context);
  core::Result<void> lease_node_ports(const msg::NodeDefined& event, core::Context& context);
  core::Result<void> release(const msg::ClusterRemoved& event, core::Context& context);
  core::Result<void> release_ports(const msg::NodeRemoved& event, core::Context& context);
  void serve_waiting(core::Context& context);

  bool end_rests(core::Transaction& tx, std::int64_t now_unix_s);
  bool serve_waiting_clusters(core::Transaction& tx);
  bool serve_waiting_frontends(core::Transaction& tx);
  bool give_vlan(core::Transaction& tx, StoredNetwork& network);
  void lease_ports(core::Transaction& tx, StoredPorts record, const msg::ClusterNetwork& network);
  std::string plan_ports(core::Transaction& tx, StoredPorts& record,
                         const msg::ClusterNetwork& network);
  std::string next_mac(core::Transaction& tx);
  void take(const StoredPorts& record);
  void free(const StoredPorts& record);
  void rebuild_indexes();
  void show_counts();
  void show_addresses();

  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  // Indexes over the records: rebuilt at each load, changed in the handler that commits the change.
  VlanPool vlans_ = {};
  std::set<Ipv4> public_taken_ = {};
  std::set<std::string> macs_taken_ = {};
  std::unordered_map<msg::ClusterId, std::vector<msg::NodeId>> nodes_of_ = {};
  std::map<std::uint64_t, msg::ClusterId> clusters_waiting_ = {};  // by the event they came with
  std::map<std::uint64_t, msg::NodeId> frontends_waiting_ = {};
};

}  // namespace nucleus::network

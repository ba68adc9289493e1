// The network service's messages: who may talk to whom. One VLAN and one private subnet a cluster,
// MACs and addresses.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

/// A network card of a node.
struct Port {
  std::string mac = {};             // 52:54:00:xx:xx:xx
  std::string ip = {};              // dotted quad, in `prefix_length`
  std::uint32_t prefix_length = 0;  // of the subnet that `ip` is in
  std::string gateway = {};         // empty = none
  std::uint32_t vlan = 0;           // 2..4094
  bool is_public = false;
  NUCLEUS_FIELDS(mac, ip, prefix_length, gateway, vlan, is_public);
};

/// What a cluster has leased.
struct ClusterNetwork {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint32_t vlan = 0;   // 2..4094, of no other cluster; rests before it is used again
  std::string subnet = {};  // private, 10.0.0.0/24 or larger; the same for every cluster
  NUCLEUS_FIELDS(cluster_id, project_id, vlan, subnet);
};

struct ClusterNetworks {
  std::vector<ClusterNetwork> networks = {};
  NUCLEUS_FIELDS(networks);
};

struct ListNetworks {
  static constexpr std::string_view topic = "network.list-networks";
  using Reply = ClusterNetworks;
  NUCLEUS_NO_FIELDS()
};

/// Event: a cluster has its network.
struct NetworkLeased {
  static constexpr std::string_view topic = "network.network-leased";
  ClusterNetwork network = {};
  NUCLEUS_FIELDS(network);
};

/// Event: a node has its ports (its private one; a frontend its public one first), or why it has
/// none.
struct PortsLeased {
  static constexpr std::string_view topic = "network.ports-leased";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::vector<Port> ports = {};  // public one first
  std::string reason = {};       // where there are none
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, ports, reason);
};

/// Event: the cluster's VLAN rests until it may be leased again.
struct NetworkReleased {
  static constexpr std::string_view topic = "network.network-released";
  ClusterNetwork network = {};
  NUCLEUS_FIELDS(network);
};

}  // namespace nucleus::msg

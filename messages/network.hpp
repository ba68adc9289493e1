// The network service's messages: the VLAN, private subnet and partitions of each cluster, and the
// ports, MACs and addresses of its nodes.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/fabrics.hpp"

namespace nucleus::msg {

/// A network card of a node.
struct Port {
  std::string mac = {};             // 52:54:00:xx:xx:xx
  std::string ip = {};              // dotted quad, in `prefix_length`
  std::uint32_t prefix_length = 0;  // of the subnet that `ip` is in
  std::string gateway = {};         // empty = no gateway
  std::uint32_t vlan = 0;           // 2..4094
  bool is_public = false;
  std::string name_server = {};  // where Nucleus answers DHCP and DNS, in the same subnet; empty =
                                 // it does not: see AddressMode
  NUCLEUS_FIELDS(mac, ip, prefix_length, gateway, vlan, is_public, name_server);
};

/// The VLAN, the subnet and the partitions leased to a cluster.
struct ClusterNetwork {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint32_t vlan = 0;   // 2..4094, of no other cluster; quarantined after the cluster
  std::string subnet = {};  // private: 10.0.0.0/24, /20 or /19, the same for all clusters
  std::vector<FabricLease> fabrics = {};  // by name: one of each fabric, or none
  std::string name_server = {};           // of its ports: see Port; of no node
  NUCLEUS_FIELDS(cluster_id, project_id, vlan, subnet, fabrics, name_server);
};

struct ClusterNetworks {
  std::vector<ClusterNetwork> networks = {};  // by cluster_id
  std::string next = {};                      // cursor of the next page; empty = the last page
  NUCLEUS_FIELDS(networks, next);
};

/// The networks of the clusters that the viewer may see; clusters that wait for a VLAN or for a
/// pkey are left out.
struct ListNetworks {
  static constexpr std::string_view topic = "network.list-networks";
  using Reply = ClusterNetworks;
  Viewer viewer = {};
  ClusterId cluster_id = {};  // only this cluster's; empty = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, cluster_id, page);
};

/// Event: a VLAN, a subnet and partitions were leased to a cluster, or its subnet was widened.
struct NetworkLeased {
  static constexpr std::string_view topic = "network.network-leased";
  ClusterNetwork network = {};
  NUCLEUS_FIELDS(network);
};

/// Event: ports were leased to a node, it waits for them, or their prefix length changed because
/// the cluster's subnet was widened.
struct PortsLeased {
  static constexpr std::string_view topic = "network.ports-leased";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::vector<Port> ports = {};           // a frontend's public port first, then the private one
  std::string reason = {};                // why there are none; empty if there are
  std::vector<FabricLease> fabrics = {};  // the cluster's, by name, if the node is a compute node
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, ports, reason, fabrics);
};

/// Event: a cluster was removed; its VLAN and pkeys are quarantined until they may be leased again.
struct NetworkReleased {
  static constexpr std::string_view topic = "network.network-released";
  ClusterNetwork network = {};
  NUCLEUS_FIELDS(network);
};

}  // namespace nucleus::msg

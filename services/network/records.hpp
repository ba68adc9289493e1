// What the network service stores. Private to this service: others use its messages.
#pragma once

#include <string>
#include <vector>

#include "messages/network.hpp"
#include "messages/registry.hpp"

namespace nucleus::network {

/// A cluster's network. Its `vlan` is 0 while it waits for one, or for its pkeys.
struct StoredNetwork {
  msg::ClusterNetwork network = {};
  std::uint64_t since_event = 0;  // number of the event that defined it; the oldest is served first
  bool has_infiniband = false;    // it is leased a pkey of each fabric
  msg::AddressMode address_mode = msg::AddressMode::frontend;
  // The one that is or was its name server. It is kept for the cluster, since nodes that run may
  // still use it; empty = there was none.
  std::string service_address = {};
  NUCLEUS_FIELDS(network, since_event, has_infiniband, address_mode, service_address);
};

/// A node's ports, or the reason why it has none.
struct StoredPorts {
  msg::NodeId node_id = {};
  msg::ClusterId cluster_id = {};
  msg::ProjectId project_id = {};
  bool is_frontend = false;
  std::uint32_t index = 0;
  std::vector<msg::Port> ports = {};
  std::string reason = {};
  std::uint64_t since_event = 0;
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, is_frontend, index, ports, reason, since_event);
};

/// A VLAN whose cluster was removed; it is not leased again before `until_unix_s`.
struct StoredVlanQuarantine {
  std::uint32_t vlan = 0;
  std::int64_t until_unix_s = 0;
  NUCLEUS_FIELDS(vlan, until_unix_s);
};

/// A pkey whose cluster was removed.
struct StoredPkeyQuarantine {
  msg::FabricLease lease = {};
  std::int64_t until_unix_s = 0;
  NUCLEUS_FIELDS(lease, until_unix_s);
};

/// A private address whose node was removed from a cluster that still exists.
struct StoredAddressQuarantine {
  msg::ClusterId cluster_id = {};
  std::string ip = {};
  std::int64_t until_unix_s = 0;
  NUCLEUS_FIELDS(cluster_id, ip, until_unix_s);
};

/// The ports of a placement's adapters, and the partitions that they must be members of, or must
/// leave.
struct StoredMembers {
  msg::NodeId node_id = {};
  msg::ClusterId cluster_id = {};
  msg::ProjectId project_id = {};
  std::uint64_t epoch = 0;
  std::vector<msg::LeasedAdapter> adapters = {};
  bool is_released = false;  // they must leave; the record goes when they have left
  bool is_joined = false;    // as last emitted
  std::string reason = {};   // as last emitted: why they have not joined
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, epoch, adapters, is_released, is_joined, reason);
};

/// The number of MACs issued so far.
struct StoredMacCount {
  std::uint64_t issued = 0;
  NUCLEUS_FIELDS(issued);
};

}  // namespace nucleus::network

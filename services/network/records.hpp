// What the network service stores. Private to this room: others ask by message.
#pragma once

#include <string>
#include <vector>

#include "messages/network.hpp"

namespace nucleus::network {

/// A cluster's network; one that waits for a VLAN has none yet.
struct StoredNetwork {
  msg::ClusterNetwork network = {};
  std::uint64_t since_event = 0;  // who came first is served first
  NUCLEUS_FIELDS(network, since_event);
};

/// A node's ports, or why it has none.
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

/// A VLAN that was a cluster's and is nobody's until then.
struct StoredRest {
  std::uint32_t vlan = 0;
  std::int64_t until_unix_s = 0;
  NUCLEUS_FIELDS(vlan, until_unix_s);
};

/// How many MACs were ever given.
struct StoredMacCount {
  std::uint64_t given = 0;
  NUCLEUS_FIELDS(given);
};

}  // namespace nucleus::network

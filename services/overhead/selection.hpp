// Which nodes of a cluster are measured. Pure.
#pragma once

#include <algorithm>
#include <vector>

#include "core/result.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::overhead {

/// The nodes that run the probes, and their names and addresses for MPI.
struct Selection {
  std::vector<msg::NodeStatus> nodes = {};
  std::vector<msg::Peer> peers = {};
};

constexpr std::size_t selected_nodes_min = 2;

inline std::string private_address(const msg::NodeStatus& status) {
  const auto port = std::ranges::find(status.ports, false, &msg::Port::is_public);
  return port == status.ports.end() ? std::string() : port->ip;
}

/// The first active compute nodes, 2 to `nodes_max`; `wrong_state` if fewer are active.
inline core::Result<Selection> select_nodes(const std::vector<msg::Node>& nodes,
                                            const msg::NodeStatuses& statuses,
                                            std::size_t nodes_max = selected_nodes_min) {
  Selection selection;
  for (const auto& node : nodes) {
    if (node.kind != msg::NodeKind::compute) continue;
    const auto status = std::ranges::find(statuses.nodes, node.node_id, &msg::NodeStatus::node_id);
    if (status == statuses.nodes.end() || status->state != msg::NodeState::active) continue;
    selection.nodes.push_back(*status);
    selection.peers.push_back({.name = node.name, .ip = private_address(*status)});
    if (selection.nodes.size() == nodes_max) break;
  }
  if (selection.nodes.size() >= selected_nodes_min) return selection;
  return core::refuse(core::ErrorCode::wrong_state,
                      "two active compute nodes are needed for a measurement");
}

}  // namespace nucleus::overhead

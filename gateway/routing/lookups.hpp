// Reads that several routes share: a cluster, its nodes and their statuses, a computeset. Each
// answers 404 if the caller does not see what the path names.
#pragma once

#include "gateway/routing/exchange.hpp"
#include "messages/console.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

/// The node of a path with {cluster} and {node}; without {node}, the cluster's frontend.
msg::NodeRef node_of_path(const Exchange& exchange);

/// The computeset {id} of a path; `not_found` if it is not a positive integer.
core::Result<msg::ComputesetId> computeset_of_path(const Exchange& exchange);

/// A cluster by its name.
void with_cluster(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                  std::function<void(msg::Cluster)> next);
/// The cluster {cluster} of the path.
void with_cluster(const ExchangePtr& exchange, std::function<void(msg::Cluster)> next);

struct ClusterNodes {
  msg::Cluster cluster = {};
  std::vector<msg::Node> nodes = {};  // all, by index
};
/// A cluster with all its nodes, read page by page; up to 4097.
void with_nodes(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                std::function<void(ClusterNodes)> next);

/// The definition of the path's node.
void with_node(const ExchangePtr& exchange, std::function<void(msg::Node)> next);

/// The computeset {id} of the path.
void with_computeset(const ExchangePtr& exchange, std::function<void(msg::Computeset)> next);

using NodeStatusesById = std::map<std::string, msg::NodeStatus>;
/// The statuses of a cluster's nodes, or of all nodes if the id is empty.
void with_statuses(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                   std::function<void(NodeStatusesById)> next);
/// The status of one node.
void with_status(const ExchangePtr& exchange, const msg::Node& node,
                 std::function<void(NodeStatusesById)> next);
/// The statuses of one page of a cluster's nodes, which was read from `after` on.
void with_statuses_of(const ExchangePtr& exchange, const msg::Nodes& nodes,
                      const std::string& after, std::function<void(NodeStatusesById)> next);
/// The status of one node; as of a node that was never powered on if the scheduler has none.
const msg::NodeStatus& status_of(const msg::Node& node, const NodeStatusesById& statuses);

/// A ticket to the console of the path's node. The ticket, and the session that it opens, end with
/// the caller's credential.
void with_ticket(const ExchangePtr& exchange, msg::ConsoleKind kind,
                 std::function<void(const msg::Node&, const msg::ConsoleTicket&)> next);

}  // namespace nucleus::gateway

// What many routes need first: the cluster and the node that a path names, if they are the
// caller's.
#pragma once

#include "gateway/routing/exchange.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {

/// The cluster {cluster} of the path, or 404 where there is none of the caller's.
void with_cluster(const ExchangePtr& exchange, std::function<void(msg::ClusterWithNodes)> next);
/// The node {node} of cluster {cluster}; its frontend where the path has no {node}.
void with_node(const ExchangePtr& exchange,
               std::function<void(msg::ClusterWithNodes, msg::Node)> next);
/// All clusters of the caller, whole.
void with_clusters(const ExchangePtr& exchange,
                   std::function<void(std::vector<msg::ClusterWithNodes>)> next);

/// The computeset {id} of the path, or 404 where there is none of the caller's.
void with_computeset(const ExchangePtr& exchange, std::function<void(msg::Computeset)> next);

using NodeStatesById = std::map<std::string, msg::NodeStatus>;
/// States of a cluster's nodes, or of all with an empty id.
void with_states(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                 std::function<void(NodeStatesById)> next);

}  // namespace nucleus::gateway

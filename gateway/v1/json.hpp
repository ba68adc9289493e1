// The JSON resources of REST v1: Cluster, Frontend, Compute, ComputeSet. Pure.
#pragma once

#include "gateway/json/json.hpp"
#include "gateway/routing/lookups.hpp"

namespace nucleus::gateway {

Json v1_cluster(const msg::ClusterWithNodes& cluster, const NodeStatesById& states);
Json v1_frontend(const msg::Node& node, const NodeStatesById& states);
Json v1_compute(const msg::Node& node, const NodeStatesById& states);
/// `nodes`: those of the set, in its order. No key of it is named `status`: old clients wait for
/// such a key to go away.
Json v1_computeset(const msg::Computeset& computeset, const std::vector<msg::Node>& nodes,
                   const NodeStatesById& states);

}  // namespace nucleus::gateway

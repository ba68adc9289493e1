// The JSON resources of REST v1 (docs/rest-v1.md): Cluster, Frontend, Compute, ComputeSet. Pure.
#pragma once

#include "gateway/routing/lookups.hpp"

namespace nucleus::gateway {

/// As clients of v1 know it: one that is hibernated holds its nodes as if it waited.
msg::ComputesetState v1_state(msg::ComputesetState state);

Json v1_cluster(const msg::Cluster& cluster, const std::vector<msg::Node>& nodes,
                const NodeStatusesById& statuses);
Json v1_frontend(const msg::Node& node, const NodeStatusesById& statuses);
Json v1_compute(const msg::Node& node, const NodeStatusesById& statuses);
/// `nodes` are those of the set, in its order. No key is named `status`: old clients would wait
/// until it disappears.
Json v1_computeset(const msg::Computeset& computeset, const std::vector<msg::Node>& nodes,
                   const NodeStatusesById& statuses);

}  // namespace nucleus::gateway

// What a cluster is made of: the nodes, names and ids that a definition leads to. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "messages/registry.hpp"

namespace nucleus::registry {

/// `vm-CLUSTER-07`: two digits, or as many as the last of `compute_count` needs.
std::string compute_name(std::string_view cluster, std::uint32_t number,
                         std::uint32_t compute_count);

/// The cluster and its nodes, the frontend first. `new_node_id` gives an id nobody else has.
/// Fails where a name would be too long or the image is another project's.
core::Result<msg::ClusterWithNodes> plan_cluster(const msg::DefineCluster& request,
                                                 const std::function<msg::NodeId()>& new_node_id);

/// The nodes that AddNodes leads to, named and numbered on from the last one of `whole`. Fails
/// where a name is too long or taken, the image is another project's, or the cluster would be too
/// large.
core::Result<std::vector<msg::Node>> plan_more_nodes(
    const msg::ClusterWithNodes& whole, const msg::AddNodes& request,
    const std::function<msg::NodeId()>& new_node_id);

/// Nothing, or why a cluster of `project` may not use this image: public/NAME or its own
/// PROJECT/NAME. Empty is allowed.
std::optional<msg::Error> check_image(std::string_view field, const msg::ImageId& image,
                                      const msg::ProjectId& project);

/// Nothing, or why a compute node may not be called so: letters, digits, - and _, as old clients
/// have it.
std::optional<msg::Error> check_node_name(std::string_view name);

}  // namespace nucleus::registry

// The nodes, names and ids that the definition of a cluster leads to. Pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "messages/registry.hpp"

namespace nucleus::registry {

/// A new cluster, its frontend first.
struct ClusterPlan {
  msg::Cluster cluster = {};
  std::vector<msg::Node> nodes = {};
};

/// `vm-CLUSTER-07`: two digits, or as many as the last of `compute_count` needs.
std::string compute_name(std::string_view cluster, std::uint32_t number,
                         std::uint32_t compute_count);

/// Fails if a node's name would be too long or the image belongs to another project. `new_node_id`
/// returns an id that no node has.
core::Result<ClusterPlan> plan_cluster(const msg::DefineCluster& request,
                                       const std::function<msg::NodeId()>& new_node_id);

/// The nodes to add to `cluster`, which has `nodes`. Fails if a name would be too long or is taken,
/// the image belongs to another project, or the cluster would have over 4096 computes.
core::Result<std::vector<msg::Node>> plan_more_nodes(
    const msg::Cluster& cluster, const std::vector<msg::Node>& nodes, const msg::AddNodes& request,
    const std::function<msg::NodeId()>& new_node_id);

/// An error unless a cluster of `project` may use this image: public/NAME, PROJECT/NAME of its own
/// project, or empty.
std::optional<msg::Error> check_image(std::string_view field, const msg::ImageId& image,
                                      const msg::ProjectId& project);

/// An error unless a compute node may have this name: 1..64 letters, digits, `-` and `_`, the first
/// a letter or digit, and not all of them digits (docs/rest-v1.md, Clusters).
std::optional<msg::Error> check_node_name(std::string_view name);

std::optional<msg::Error> check_address_mode(msg::AddressMode mode);

/// The same for the image of a disk, which may also be a tag: PROJECT/NAME:TAG.
std::optional<msg::Error> check_disk_image(const msg::ImageId& image,
                                           const msg::ProjectId& project);

}  // namespace nucleus::registry

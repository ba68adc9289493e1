// The plan of a cluster.
#include "services/registry/cluster_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nucleus::registry {
namespace {

constexpr std::size_t computes_max = 4096;
constexpr std::size_t node_name_bytes_max = 64;  // what Linux takes as a host name
// A cluster with its nodes is told in one message body; this leaves room for names to grow.
constexpr std::size_t cluster_bytes_max = msg::body_bytes_max - 64 * 1024;

msg::Node a_node(const msg::DefineCluster& request, const msg::NodeSize& size) {
  return {.cluster_id = request.cluster_id,
          .project_id = request.project_id,
          .cpus = size.cpus,
          .memory_mb = size.memory_mb,
          .disk_gb = size.disk_gb,
          .image_id = request.image_id,
          .revision = 1};
}

}  // namespace

std::string compute_name(std::string_view cluster, std::uint32_t number,
                         std::uint32_t compute_count) {
  const std::size_t width =
      std::max<std::size_t>(2, std::to_string(compute_count > 0 ? compute_count - 1 : 0).size());
  return fmt::format("vm-{}-{:0{}}", cluster, number, width);
}

core::Result<msg::ClusterWithNodes> plan_cluster(const msg::DefineCluster& request,
                                                 const std::function<msg::NodeId()>& new_node_id) {
  if (auto broken = check_image("image_id", request.image_id, request.project_id))
    return std::unexpected(*broken);
  const auto& name = request.cluster_id.value;
  if (request.compute_count > 0 &&
      compute_name(name, 0, request.compute_count).size() > node_name_bytes_max)
    return std::unexpected(msg::invalid(
        "cluster_id", "the name is too long: a compute node's would be over 64 characters"));

  msg::ClusterWithNodes plan{.cluster = {.cluster_id = request.cluster_id,
                                         .project_id = request.project_id,
                                         .description = request.description,
                                         .allocations = request.allocations,
                                         .revision = 1}};
  plan.nodes.reserve(request.compute_count + 1);
  auto frontend = a_node(request, request.frontend_size);
  frontend.node_id = new_node_id();
  frontend.name = name;
  frontend.kind = msg::NodeKind::frontend;
  plan.nodes.push_back(std::move(frontend));
  for (std::uint32_t number = 0; number < request.compute_count; ++number) {
    auto compute = a_node(request, request.compute_size);
    compute.node_id = new_node_id();
    compute.name = compute_name(name, number, request.compute_count);
    compute.kind = msg::NodeKind::compute;
    compute.index = number + 1;
    plan.nodes.push_back(std::move(compute));
  }
  if (msg::encode(plan).size() > cluster_bytes_max)
    return std::unexpected(
        msg::invalid("compute_count", "so many nodes need a shorter cluster or image name"));
  return plan;
}

core::Result<std::vector<msg::Node>> plan_more_nodes(
    const msg::ClusterWithNodes& whole, const msg::AddNodes& request,
    const std::function<msg::NodeId()>& new_node_id) {
  const auto& cluster = whole.cluster;
  if (auto broken = check_image("image_id", request.image_id, cluster.project_id))
    return std::unexpected(*broken);
  if (whole.nodes.size() + request.count > computes_max + 1)
    return std::unexpected(msg::invalid("count", "the cluster would have over 4096 computes"));
  std::uint32_t last = 0;
  for (const auto& node : whole.nodes) last = std::max(last, node.index);
  auto grown = whole;
  for (std::uint32_t i = 0; i < request.count; ++i) {
    const std::uint32_t number = last + i;  // computes are named from 0 and indexed from 1
    msg::Node node{.node_id = new_node_id(),
                   .cluster_id = cluster.cluster_id,
                   .project_id = cluster.project_id,
                   .name = compute_name(cluster.cluster_id.value, number, last + request.count),
                   .kind = msg::NodeKind::compute,
                   .index = number + 1,
                   .cpus = request.size.cpus,
                   .memory_mb = request.size.memory_mb,
                   .disk_gb = request.size.disk_gb,
                   .image_id = request.image_id,
                   .revision = 1};
    if (node.name.size() > node_name_bytes_max)
      return std::unexpected(msg::invalid("count", "a node's name would be over 64 characters"));
    const auto is_same = [&](const msg::Node& other) { return other.name == node.name; };
    if (std::ranges::any_of(whole.nodes, is_same))
      return core::refuse(core::ErrorCode::wrong_state, "the name " + node.name + " is taken",
                          "count");
    grown.nodes.push_back(std::move(node));
  }
  if (msg::encode(grown).size() > cluster_bytes_max)
    return std::unexpected(
        msg::invalid("count", "so many nodes need a shorter cluster or image name"));
  grown.nodes.erase(grown.nodes.begin(),
                    grown.nodes.begin() + static_cast<std::ptrdiff_t>(whole.nodes.size()));
  return std::move(grown.nodes);
}

std::optional<msg::Error> check_image(std::string_view field, const msg::ImageId& image,
                                      const msg::ProjectId& project) {
  if (image.empty()) return std::nullopt;
  const std::string_view id = image.value;
  const auto slash = id.find('/');
  if (slash == id.npos || !msg::is_name(id.substr(0, slash)) || !msg::is_name(id.substr(slash + 1)))
    return msg::invalid(field, "an image is named public/NAME or PROJECT/NAME");
  const auto owner = id.substr(0, slash);
  if (owner != "public" && owner != project.value)
    return msg::Error{.code = msg::ErrorCode::not_found,
                      .detail = "no image " + msg::shown(id),
                      .field = std::string(field)};
  return std::nullopt;
}

std::optional<msg::Error> check_node_name(std::string_view name) {
  if (msg::is_name(name) && name.find('.') == name.npos) return std::nullopt;
  return msg::invalid("name",
                      "a node's name is 1 to 64 letters, digits, - _, first a letter or digit");
}

}  // namespace nucleus::registry

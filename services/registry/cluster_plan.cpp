// The plan of a cluster: names, indexes and sizes of its nodes.
#include "services/registry/cluster_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nucleus::registry {
namespace {

constexpr std::size_t computes_max = 4096;
constexpr std::size_t node_name_bytes_max = 64;  // Linux's limit of a host name

msg::Node a_node(const msg::DefineCluster& request, const msg::NodeSize& size) {
  return {.cluster_id = request.cluster_id,
          .project_id = request.project_id,
          .cpus = size.cpus,
          .memory_mb = size.memory_mb,
          .disk_gb = size.disk_gb,
          .image_id = request.image_id,
          .revision = 1};
}

bool is_number(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string compute_name(std::string_view cluster, std::uint32_t number,
                         std::uint32_t compute_count) {
  const std::size_t width =
      std::max<std::size_t>(2, std::to_string(compute_count > 0 ? compute_count - 1 : 0).size());
  return fmt::format("vm-{}-{:0{}}", cluster, number, width);
}

core::Result<ClusterPlan> plan_cluster(const msg::DefineCluster& request,
                                       const std::function<msg::NodeId()>& new_node_id) {
  if (auto broken = check_disk_image(request.image_id, request.project_id))
    return std::unexpected(*broken);
  if (auto broken = check_address_mode(request.address_mode)) return std::unexpected(*broken);
  const auto& name = request.cluster_id.value;
  if (is_number(name))
    return std::unexpected(
        msg::invalid("cluster_id",
                     "cluster_id must not be a number: its frontend has the same "
                     "name, and a number names a computeset"));
  if (request.compute_count > 0 &&
      compute_name(name, 0, request.compute_count).size() > node_name_bytes_max)
    return std::unexpected(msg::invalid(
        "cluster_id", "cluster_id is too long: a compute's name would be over 64 characters"));

  ClusterPlan plan{.cluster = {.cluster_id = request.cluster_id,
                               .project_id = request.project_id,
                               .description = request.description,
                               .allocations = request.allocations,
                               .node_count = request.compute_count + 1,
                               .revision = 1,
                               .has_infiniband = request.has_infiniband,
                               .address_mode = request.address_mode}};
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
  return plan;
}

core::Result<std::vector<msg::Node>> plan_more_nodes(
    const msg::Cluster& cluster, const std::vector<msg::Node>& nodes, const msg::AddNodes& request,
    const std::function<msg::NodeId()>& new_node_id) {
  if (auto broken = check_disk_image(request.image_id, cluster.project_id))
    return std::unexpected(*broken);
  if (nodes.size() + request.count > computes_max + 1)
    return std::unexpected(msg::invalid("count", "the cluster would have over 4096 computes"));
  std::uint32_t last = 0;
  std::set<std::string_view> names;
  for (const auto& node : nodes) {
    last = std::max(last, node.index);
    names.insert(node.name);
  }
  // As wide as the names that the cluster has, so that all of them fold into few ranges.
  const std::uint32_t width_of_count = last > 0 ? last : request.count;
  std::vector<msg::Node> added;
  added.reserve(request.count);
  for (std::uint32_t i = 0; i < request.count; ++i) {
    const std::uint32_t number = last + i;  // computes are named from 0 and indexed from 1
    msg::Node node{.node_id = new_node_id(),
                   .cluster_id = cluster.cluster_id,
                   .project_id = cluster.project_id,
                   .name = compute_name(cluster.cluster_id.value, number, width_of_count),
                   .kind = msg::NodeKind::compute,
                   .index = number + 1,
                   .cpus = request.size.cpus,
                   .memory_mb = request.size.memory_mb,
                   .disk_gb = request.size.disk_gb,
                   .image_id = request.image_id,
                   .revision = 1};
    if (node.name.size() > node_name_bytes_max)
      return std::unexpected(msg::invalid("count", "a node's name would be over 64 characters"));
    if (names.contains(node.name))
      return core::refuse(core::ErrorCode::wrong_state, "the name " + node.name + " is taken",
                          "count");
    added.push_back(std::move(node));
  }
  return added;
}

std::optional<msg::Error> check_image(std::string_view field, const msg::ImageId& image,
                                      const msg::ProjectId& project) {
  if (image.empty()) return std::nullopt;
  const std::string_view id = image.value;
  const auto slash = id.find('/');
  if (slash == id.npos || !msg::is_name(id.substr(0, slash)) || !msg::is_name(id.substr(slash + 1)))
    return msg::invalid(field, std::string(field) + " must be public/NAME or PROJECT/NAME");
  const auto owner = id.substr(0, slash);
  if (owner != "public" && owner != project.value)
    return msg::Error{.code = msg::ErrorCode::not_found,
                      .detail = "no such image: " + msg::shown(id),
                      .field = std::string(field)};
  return std::nullopt;
}

std::optional<msg::Error> check_address_mode(msg::AddressMode mode) {
  if (mode == msg::AddressMode::frontend || mode == msg::AddressMode::nucleus) return std::nullopt;
  return msg::invalid("address_mode", "address_mode must be frontend or nucleus");
}

std::optional<msg::Error> check_node_name(std::string_view name) {
  if (is_number(name))
    return msg::invalid("name", "name must not be a number, which names a computeset");
  if (msg::is_name(name) && name.find('.') == name.npos) return std::nullopt;
  return msg::invalid("name",
                      "name must be 1 to 64 letters, digits, - _ and begin with a letter or digit");
}

std::optional<msg::Error> check_disk_image(const msg::ImageId& image,
                                           const msg::ProjectId& project) {
  const auto colon = image.value.find(':');
  if (colon != std::string::npos && !msg::is_name(std::string_view(image.value).substr(colon + 1)))
    return msg::invalid("image_id", "the tag of image_id is not a valid name");
  return check_image("image_id", {image.value.substr(0, colon)}, project);
}

}  // namespace nucleus::registry

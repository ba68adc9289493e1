// nucleus cluster create and remove.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "messages/allocations.hpp"
#include "messages/image_store.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

struct CreateClusterArguments {
  std::string state = {};
  std::string name = {};
  std::uint32_t computes = 0;
  msg::NodeSize size = {};
  std::string image = {};
  std::string project = "demo";
  bool has_infiniband = false;
  std::string addresses = "frontend";
};

struct RemoveClusterArguments {
  std::string state = {};
  std::string name = {};
};

/// Creates the project's allocation, without a limit, unless it exists.
core::Result<void> ensure_allocation(Caller& caller, const std::string& project) {
  const auto known = caller.call(
      msg::ListAllocations{.viewer = {.is_operator = true}, .allocations = {{project}}});
  if (!known) return std::unexpected(known.error());
  if (!known->allocations.empty()) return {};
  const auto defined =
      caller.call(msg::DefineAllocation{.allocation_id = {project}, .project_id = {project}});
  if (!defined) return std::unexpected(defined.error());
  return {};
}

/// A NAME without a project is the project's own image if it has one, else a public one.
core::Result<msg::ImageId> find_image(Caller& caller, const std::string& image,
                                      const std::string& project) {
  if (image.empty()) return msg::ImageId{};
  const auto known = caller.call(msg::ListImages{.viewer = {.projects = {{project}}},
                                                 .name = image.substr(image.find('/') + 1)});
  if (!known) return std::unexpected(known.error());
  for (const auto& candidate : {image, project + "/" + image, "public/" + image})
    for (const auto& found : known->images)
      if (found.image_id.value == candidate || std::ranges::count(found.tags, candidate) > 0)
        return msg::ImageId{candidate};
  return core::refuse(core::ErrorCode::not_found, "no such image: " + msg::shown(image), "image");
}

core::Result<int> create_cluster(const CreateClusterArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  msg::DefineCluster request{.cluster_id = {arguments.name},
                             .project_id = {arguments.project},
                             .allocations = {{arguments.project}},
                             .compute_count = arguments.computes,
                             .frontend_size = arguments.size,
                             .compute_size = arguments.size,
                             .has_infiniband = arguments.has_infiniband,
                             .address_mode = msg::enum_of<msg::AddressMode>(arguments.addresses)};
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto image = find_image(caller, arguments.image, arguments.project);
  if (!image) return std::unexpected(image.error());
  request.image_id = *image;
  if (auto defined = caller.call(request); !defined) return std::unexpected(defined.error());
  // A refused command leaves nothing behind: an allocation cannot be removed, a cluster can.
  if (auto ensured = ensure_allocation(caller, arguments.project); !ensured) {
    (void)caller.call(
        msg::RemoveCluster{.cluster_id = {arguments.name}, .viewer = {.is_operator = true}});
    return std::unexpected(ensured.error());
  }
  std::cout << fmt::format("cluster {} with frontend {} and {} compute nodes\n", arguments.name,
                           arguments.name, arguments.computes);
  return 0;
}

core::Result<int> remove_cluster(const RemoveClusterArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto removed = (*opened)->call(
      msg::RemoveCluster{.cluster_id = {arguments.name}, .viewer = {.is_operator = true}});
  if (!removed) return std::unexpected(removed.error());
  std::cout << fmt::format("cluster {} is removed\n", arguments.name);
  return 0;
}

}  // namespace

void add_cluster(Commands& commands) {
  auto group = commands.group("cluster", "virtual clusters");
  group.add<CreateClusterArguments>(
      "create", "define a cluster: a frontend and compute nodes", create_cluster,
      [](CommandOptions& options, CreateClusterArguments& arguments) {
        options.state(arguments.state);
        options.add("NAME", arguments.name, "name of the cluster and of its frontend")
            .name()
            .required();
        options.add("--computes", arguments.computes, "number of compute nodes").required();
        options.add("--cpus", arguments.size.cpus, "CPUs of each node").show_default();
        options.add("--memory-mb", arguments.size.memory_mb, "memory of each node").show_default();
        options.add("--disk-gb", arguments.size.disk_gb, "disk of each node").show_default();
        options.add("--image", arguments.image, "image that the nodes' disks are cloned from");
        options.add("--project", arguments.project, "project that owns it").name().show_default();
        options.flag("--infiniband", arguments.has_infiniband,
                     "lease it a partition of each InfiniBand fabric");
        options
            .add("--addresses", arguments.addresses,
                 "who answers DHCP and DNS in its private network")
            .one_of({"frontend", "nucleus"})
            .show_default();
      });
  group.add<RemoveClusterArguments>(
      "remove", "end a cluster's computesets, stop its nodes, and delete it with its volumes",
      remove_cluster, [](CommandOptions& options, RemoveClusterArguments& arguments) {
        options.state(arguments.state);
        options.add("NAME", arguments.name, "name of the cluster").name().required();
      });
  add_cluster_waiting(group);
}

}  // namespace nucleus::operator_

// nucleus cluster create and remove.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "messages/image_store.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

struct CreateArguments {
  std::shared_ptr<std::string> state = {};
  std::string name = {};
  std::uint32_t computes = 0;
  msg::NodeSize size = {};
  std::string image = {};
  std::string project = "demo";
};

/// The project's account, without a limit where there is none of its name yet.
core::Result<void> ensure_allocation(Caller& caller, const std::string& project) {
  const auto known = caller.call(
      msg::ListAllocations{.viewer = {.is_operator = true}, .allocations = {{project}}});
  if (!known) return std::unexpected(known.error());
  if (!known->allocations.empty()) return {};
  const auto made =
      caller.call(msg::DefineAllocation{.allocation_id = {project}, .project_id = {project}});
  if (!made) return std::unexpected(made.error());
  return {};
}

/// NAME alone is an image of the project where it has one, else a public one.
core::Result<msg::ImageId> find_image(Caller& caller, const std::string& image,
                                      const std::string& project) {
  if (image.empty()) return msg::ImageId{};
  const auto known = caller.call(msg::ListImages{.viewer = {.projects = {{project}}},
                                                 .name = image.substr(image.find('/') + 1)});
  if (!known) return std::unexpected(known.error());
  for (const auto& candidate : {image, project + "/" + image, "public/" + image})
    for (const auto& found : known->images)
      if (found.image_id.value == candidate) return found.image_id;
  return core::refuse(core::ErrorCode::not_found, "no image " + msg::shown(image), "image");
}

core::Result<int> create(const CreateArguments& arguments) {
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  msg::DefineCluster request{.cluster_id = {arguments.name},
                             .project_id = {arguments.project},
                             .allocations = {{arguments.project}},
                             .compute_count = arguments.computes,
                             .frontend_size = arguments.size,
                             .compute_size = arguments.size};
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto image = find_image(caller, arguments.image, arguments.project);
  if (!image) return std::unexpected(image.error());
  request.image_id = *image;
  if (auto made = ensure_allocation(caller, arguments.project); !made)
    return std::unexpected(made.error());
  const auto cluster = caller.call(request);
  if (!cluster) return std::unexpected(cluster.error());
  std::cout << fmt::format("cluster {} with frontend {} and {} compute nodes\n", arguments.name,
                           arguments.name, arguments.computes);
  return 0;
}

core::Result<int> remove_cluster(const std::string& directory, const std::string& name) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  if (auto done =
          caller.call(msg::RemoveCluster{.cluster_id = {name}, .viewer = {.is_operator = true}});
      !done)
    return std::unexpected(done.error());
  std::cout << fmt::format("cluster {} is removed\n", name);
  return 0;
}

}  // namespace

void add_cluster(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("cluster", "virtual clusters");
  group->require_subcommand(1);
  auto* make = group->add_subcommand("create", "define a cluster: a frontend and compute nodes");
  auto arguments = std::make_shared<CreateArguments>();
  arguments->state = add_state_option(*make);
  make->add_option("NAME", arguments->name, "of the cluster and its frontend")->required();
  make->add_option("--computes", arguments->computes, "how many compute nodes")->required();
  make->add_option("--cpus", arguments->size.cpus, "of each node")->capture_default_str();
  make->add_option("--memory-mb", arguments->size.memory_mb, "of each node")->capture_default_str();
  make->add_option("--disk-gb", arguments->size.disk_gb, "of each node")->capture_default_str();
  make->add_option("--image", arguments->image, "what the nodes' disks are cloned from");
  make->add_option("--project", arguments->project, "whose it is")->capture_default_str();
  make->callback([&chosen, arguments] { chosen = [arguments] { return create(*arguments); }; });

  auto* end = group->add_subcommand("remove", "remove a cluster whose nodes are off");
  auto state = add_state_option(*end);
  auto name = std::make_shared<std::string>();
  end->add_option("NAME", *name, "of the cluster")->required();
  end->callback(
      [&chosen, state, name] { chosen = [state, name] { return remove_cluster(*state, *name); }; });
  add_cluster_watch(*group, chosen);
}

}  // namespace nucleus::op

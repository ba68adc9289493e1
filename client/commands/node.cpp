// node info, node rename and console.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/renames.hpp"
#include "client/views.hpp"
#include "core/runtime/child_process.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string node_path(const std::string& cluster, const std::string& node) {
  const std::string path = "/nucleus/v1/cluster/" + encoded(cluster) + "/";
  return node.empty() ? path + "frontend/" : path + "compute/" + encoded(node) + "/";
}

/// A frontend may be called by its name, too.
core::Result<std::string> path_of(const Api& api, const std::string& cluster,
                                  const std::string& node) {
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  if (node == text_at(known->value("frontend", Json::object()), "name"))
    return node_path(cluster, "");
  const auto computes = compute_names(*known);
  if (!node.empty() && std::ranges::find(computes, node) == computes.end())
    return core::refuse(ErrorCode::not_found,
                        "cluster " + cluster + " has no node " + msg::shown(node));
  return node_path(cluster, node);
}

core::Result<int> rename(const Api& api, const std::string& cluster, const std::string& old_list,
                         const std::string& new_list) {
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto before = names_in(old_list);
  if (!before) return std::unexpected(before.error());
  const auto after = names_in(new_list);
  if (!after) return std::unexpected(after.error());
  const auto plan = plan_renames(compute_names(*known), *before, *after);
  if (!plan) return std::unexpected(plan.error());
  for (std::size_t i = 0; i < before->size(); ++i)
    std::cout << (*before)[i] << " -> " << (*after)[i] << "\n";
  if (!is_confirmed("Rename?")) return 1;
  for (const auto& [from, to] : *plan) {
    auto done = api.post(node_path(cluster, from) + "rename", {{"name", to}});
    if (!done) return core::refuse(done.error().code, from + ": " + done.error().detail);
  }
  return 0;
}

}  // namespace

void add_node(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("node", "one node");
  group->require_subcommand(1);
  auto* info = group->add_subcommand("info", "all that is known of it");
  auto cluster = std::make_shared<std::string>();
  auto node = std::make_shared<std::string>();
  info->add_option("CLUSTER", *cluster, "its cluster")->required();
  info->add_option("NODE", *node, "its name; else the frontend");
  auto format = add_format_option(*info);
  info->callback([&chosen, cluster, node, format] {
    chosen = [cluster, node, format](const Api& api) -> core::Result<int> {
      const auto path = path_of(api, *cluster, *node);
      if (!path) return std::unexpected(path.error());
      const auto found = api.get(*path);
      if (!found) return std::unexpected(found.error());
      return print(attribute_view(*found), *format, *found);
    };
  });

  auto* change = group->add_subcommand("rename", "give nodes other names");
  auto old_names = std::make_shared<std::string>();
  auto new_names = std::make_shared<std::string>();
  auto of_cluster = std::make_shared<std::string>();
  change->add_option("CLUSTER", *of_cluster, "their cluster")->required();
  change->add_option("OLDNAMES", *old_names, "a list")->required();
  change->add_option("NEWNAMES", *new_names, "a list of the same length")->required();
  change->callback([&chosen, of_cluster, old_names, new_names] {
    chosen = [of_cluster, old_names, new_names](const Api& api) {
      return rename(api, *of_cluster, *old_names, *new_names);
    };
  });
}

void add_console(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("console", "a node's console, in the browser");
  auto cluster = std::make_shared<std::string>();
  auto node = std::make_shared<std::string>();
  auto is_link = std::make_shared<bool>(false);
  command->add_option("CLUSTER", *cluster, "its cluster")->required();
  command->add_option("NODE", *node, "its name; else the frontend");
  command->add_flag("--link", *is_link, "print the link; it opens once, within a minute");
  command->callback([&chosen, cluster, node, is_link] {
    chosen = [cluster, node, is_link](const Api& api) -> core::Result<int> {
      const auto path = path_of(api, *cluster, *node);
      if (!path) return std::unexpected(path.error());
      const auto link = api.redirect(*path + "console/");
      if (!link) return std::unexpected(link.error());
      // Without a desktop there is no browser to open.
      const bool is_desktop = std::getenv("DISPLAY") || std::getenv("WAYLAND_DISPLAY");
      if (*is_link || !is_desktop || !core::must_run_child({.argv = {"xdg-open", *link}}))
        std::cout << *link << "\n";
      return 0;
    };
  });
}

}  // namespace nucleus::client

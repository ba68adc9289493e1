// node info, node rename and console.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"
#include "client/shell/shell.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string node_path(const std::string& cluster, const std::string& node) {
  const std::string path = "/nucleus/v1/cluster/" + encoded(cluster) + "/";
  return node.empty() ? path + "frontend/" : path + "compute/" + encoded(node) + "/";
}

/// The path of a node; of the frontend if `node` is empty or its name.
core::Result<std::string> path_of(const Api& api, const std::string& cluster,
                                  const std::string& node) {
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  if (node == (*known)["frontend"]["name"].text()) return node_path(cluster, "");
  if (!node.empty())
    if (auto checked = check_members(*known, {node}); !checked)
      return std::unexpected(checked.error());
  return node_path(cluster, node);
}

}  // namespace

core::Result<int> rename_nodes(const Api& api, const Words& words) {
  const auto cluster = words["CLUSTER"];
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto before = names_in(words["OLDNAMES"]);
  if (!before) return std::unexpected(before.error());
  const auto after = names_in(words["NEWNAMES"]);
  if (!after) return std::unexpected(after.error());
  if (before->size() != after->size())
    return core::refuse(ErrorCode::invalid_argument, "both lists must have the same length");
  if (auto checked = check_members(*known, *before); !checked)
    return std::unexpected(checked.error());
  for (std::size_t i = 0; i < before->size(); ++i)
    std::cout << (*before)[i] << " -> " << (*after)[i] << "\n";
  if (!is_confirmed("Rename?")) return 1;
  const auto done =
      api.send("PATCH", "/v2/clusters/" + encoded(cluster) + "/nodes",
               Json::object({{"nodes", list_of(*before)}, {"names", list_of(*after)}}));
  if (!done) return std::unexpected(done.error());
  return 0;
}

core::Result<int> show_node(const Api& api, const Words& words) {
  const auto path = path_of(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  const auto found = api.get(*path);
  if (!found) return std::unexpected(found.error());
  return print(attribute_view(*found), words["--format"], *found);
}

core::Result<int> open_console(const Api& api, const Words& words) {
  const auto path = path_of(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  const auto link = api.redirect(*path + "console/");
  if (!link) return std::unexpected(link.error());
  // A browser needs a desktop.
  const bool is_desktop = std::getenv("DISPLAY") || std::getenv("WAYLAND_DISPLAY");
  if (words.has("--link") || !is_desktop || run_here({"xdg-open", *link}) != 0)
    std::cout << *link << "\n";
  return 0;
}

}  // namespace nucleus::client

// node info, rename and netboot; console.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/commands/transfer.hpp"
#include "client/console/console.hpp"
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

core::Result<int> show_console(const Api& api, const Words& words) {
  const auto cluster = words["CLUSTER"];
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto node = words.has("NODE") ? words["NODE"] : (*known)["frontend"]["name"].text();
  if (auto checked = check_members(*known, {node}); !checked)
    return std::unexpected(checked.error());
  return attach_console(api, {.tickets_path = "/v2/clusters/" + encoded(cluster) + "/nodes/" +
                                              encoded(node) + "/console",
                              .name = node,
                              .is_interactive = is_input_terminal() && is_output_terminal(),
                              .is_read_only = words.has("--read-only"),
                              .is_from_start = words.has("--from-start"),
                              .is_plain = words.has("--plain"),
                              .record_path = words["--record"]});
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

core::Result<int> set_network_boot(const Api& api, const Words& words) {
  const auto cluster = words["CLUSTER"];
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto names = names_in(words["NODES"]);
  if (!names) return std::unexpected(names.error());
  if (auto checked = check_members(*known, *names); !checked)
    return std::unexpected(checked.error());
  const bool is_on = !words.has("--off");
  const auto done = api.send(
      "PATCH", "/v2/clusters/" + encoded(cluster) + "/nodes",
      Json::object({{"nodes", list_of(*names)}, {"boots_from_network", Json::boolean(is_on)}}));
  if (!done) return std::unexpected(done.error());
  std::cout << (is_on ? "from their next power-on they boot from the network first\n"
                      : "from their next power-on they boot from ISO and disk first\n");
  return 0;
}

core::Result<int> show_node(const Api& api, const Words& words) {
  const auto path = path_of(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  auto found = api.get(*path);
  if (!found) return std::unexpected(found.error());
  // v1 does not have these.
  const auto node = api.get("/v2/clusters/" + encoded(words["CLUSTER"]) + "/nodes/" +
                            encoded((*found)["name"].text()));
  if (!node) return std::unexpected(node.error());
  found->set("boots_from_network", (*node)["boots_from_network"]);
  const auto& copy = (*node)["image_copy"];
  if (!copy.is_object()) return print(attribute_view(*found), words["--format"], *found);
  auto shown = *found;
  shown.set("image_copy", shown_image_copy(copy));
  found->set("image_copy", copy);
  return print(attribute_view(shown), words["--format"], *found);
}

core::Result<int> open_console(const Api& api, const Words& words) {
  if (!words.has("--link") && !words.has("--open")) return show_console(api, words);
  const auto path = path_of(api, words["CLUSTER"], words["NODE"]);
  if (!path) return std::unexpected(path.error());
  for (const char* option : {"--read-only", "--from-start", "--record", "--plain"})
    if (words.has(option))
      return core::refuse(ErrorCode::invalid_argument,
                          std::string(option) + " has no effect with --link and --open");
  const auto link = api.redirect(*path + "console/");
  if (!link) return std::unexpected(link.error());
  // A browser needs a desktop.
  const bool is_desktop = std::getenv("DISPLAY") || std::getenv("WAYLAND_DISPLAY");
  if (words.has("--link") || !is_desktop || run_here({"xdg-open", *link}) != 0)
    std::cout << *link << "\n";
  return 0;
}

}  // namespace nucleus::client

// ll and cluster: what there is, and how it is.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/views.hpp"

namespace nucleus::client {

namespace {

/// One cluster as a list of one, or all.
core::Result<Json> clusters(const Api& api, const std::string& name) {
  if (name.empty()) return api.get("/nucleus/v1/cluster/");
  auto one = get_cluster(api, name);
  if (!one) return one;
  return Json::array({std::move(*one)});
}

struct ClusterArguments {
  std::string name = {};
  std::string sort = {};
  bool is_concise = false;
  bool is_status = false;
};

core::Result<int> show_clusters(const Api& api, const ClusterArguments& arguments,
                                const std::string& format) {
  const auto found = clusters(api, arguments.name);
  if (!found) return std::unexpected(found.error());
  const auto sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  const bool is_table = format == "table";
  const auto columns = arguments.is_status    ? NodeColumns::status
                       : arguments.is_concise ? NodeColumns::concise
                       : is_table             ? NodeColumns::all_table
                                              : NodeColumns::all_data;
  const auto listing = node_view(*found, *sets, columns, arguments.sort);
  if (!listing) return std::unexpected(listing.error());
  if (is_table)
    for (const auto& cluster : *found) {
      const Json frontend = cluster.value("frontend", Json::object());
      std::cout << "Cluster: " << text_at(cluster, "name")
                << "\tFrontend: " << text_at(frontend, "name")
                << "\tIP: " << text_at(frontend, "pub_ip") << "\n";
    }
  return print(*listing, format, *found);
}

}  // namespace

void add_list(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("ll", "clusters, one a line");
  auto name = std::make_shared<std::string>();
  command->add_option("CLUSTER", *name, "this one alone");
  auto format = add_format_option(*command);
  command->callback([&chosen, name, format] {
    chosen = [name, format](const Api& api) -> core::Result<int> {
      const auto found = clusters(api, *name);
      if (!found) return std::unexpected(found.error());
      return print(list_view(*found), *format, *found);
    };
  });
}

void add_cluster(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("cluster", "the nodes of clusters and their states");
  auto arguments = std::make_shared<ClusterArguments>();
  command->add_option("CLUSTER", arguments->name, "this one alone");
  command->add_option("--sort", arguments->sort, "by this column");
  command->add_flag("--concise", arguments->is_concise, "the first eight columns");
  command->add_flag("--status", arguments->is_status, "the first five columns");
  auto format = add_format_option(*command);
  command->callback([&chosen, arguments, format] {
    chosen = [arguments, format](const Api& api) {
      return show_clusters(api, *arguments, *format);
    };
  });
}

}  // namespace nucleus::client

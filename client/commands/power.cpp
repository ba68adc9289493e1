// power: nodes, computesets and frontends on and off, in the grammar of both generations of the
// client: `power on CLUSTER NODES` starts a computeset where the nodes are in none (the first
// generation), else it powers those nodes on.
#include <algorithm>
#include <iostream>
#include <set>

#include "client/commands/commands.hpp"
#include "client/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

struct PowerArguments {
  std::string action = {};
  StartArguments start = {};
};

const std::map<std::string, std::string> verbs = {{"on", "poweron"},
                                                  {"off", "poweroff"},
                                                  {"reboot", "reboot"},
                                                  {"reset", "reset"},
                                                  {"shutdown", "shutdown"}};

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

core::Result<int> power_set(const Api& api, const PowerArguments& arguments) {
  if (arguments.action == "on" || arguments.action == "off")
    return core::refuse(ErrorCode::invalid_argument,
                        "Action NOT SUPPORTED! Use 'comet start/terminate'!");
  auto done =
      api.put("/nucleus/v1/computeset/" + arguments.start.nodes + "/" + verbs.at(arguments.action));
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of " << arguments.action << " computeset "
            << arguments.start.nodes << "\n";
  return 0;
}

/// Every name of them in a running computeset of the cluster?
core::Result<bool> are_all_running(const Api& api, const std::string& cluster,
                                   const std::vector<std::string>& names) {
  const auto sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  std::set<std::string> running;
  for (const auto& set : *sets)
    if (text_at(set, "cluster") == cluster && text_at(set, "state") == "running")
      for (const auto& name : compute_names(set)) running.insert(name);
  return std::ranges::all_of(names, [&](const auto& name) { return running.contains(name); });
}

core::Result<int> wait_for_power(const Api& api, const PowerArguments& arguments,
                                 const std::vector<std::string>& names) {
  if (!arguments.start.wait.is_wanted) return 0;
  const bool is_on = arguments.action == "on";
  return wait_until_done(api, arguments.start.wait, [&]() -> core::Result<Progress> {
    const auto cluster = get_cluster(api, arguments.start.cluster);
    if (!cluster) return std::unexpected(cluster.error());
    return power_progress(*cluster, names, is_on);
  });
}

core::Result<int> power_nodes(const Api& api, const PowerArguments& arguments) {
  const auto& cluster = arguments.start.cluster;
  const auto names = names_in(arguments.start.nodes);
  if (!names) return std::unexpected(names.error());
  if (arguments.action == "on") {
    const auto all_run = are_all_running(api, cluster, *names);
    if (!all_run) return std::unexpected(all_run.error());
    if (!*all_run) return start_computeset(api, arguments.start);
  }
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const auto computes = compute_names(*known);
  const std::string frontend = text_at(known->value("frontend", Json::object()), "name");
  // All names are looked at before any is touched.
  for (const auto& name : *names)
    if (name != frontend && std::ranges::find(computes, name) == computes.end())
      return core::refuse(ErrorCode::not_found,
                          "cluster " + cluster + " has no node " + msg::shown(name));
  bool is_well = true;
  for (const auto& name : *names) {
    const std::string node = name == frontend ? "frontend" : "compute/" + encoded(name);
    auto done = api.put("/nucleus/v1/cluster/" + encoded(cluster) + "/" + node + "/" +
                        verbs.at(arguments.action));
    if (done) continue;
    std::cerr << "comet: " << name << ": " << done.error().detail << "\n";
    is_well = false;
  }
  if (!is_well) return 1;
  std::cout << "Request Accepted. In the process of power " << arguments.action << " "
            << arguments.start.nodes << std::endl;
  return wait_for_power(api, arguments, *names);
}

core::Result<int> power(const Api& api, const PowerArguments& arguments) {
  const auto& start = arguments.start;
  if (is_number(start.nodes)) return power_set(api, arguments);
  if (!start.nodes.empty()) return power_nodes(api, arguments);
  if (arguments.action == "on" && start.count) return start_computeset(api, start);
  auto done = api.put("/nucleus/v1/cluster/" + encoded(start.cluster) + "/frontend/" +
                      verbs.at(arguments.action));
  if (!done && done.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "there is no cluster " + msg::shown(start.cluster));
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of power " << arguments.action
            << " the frontend of " << start.cluster << std::endl;
  return wait_for_power(api, arguments, {});
}

}  // namespace

void add_power(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("power", "nodes, computesets and frontends on and off");
  group->require_subcommand(1);
  for (const auto& [action, verb] : verbs) {
    auto* command = group->add_subcommand(
        action, action == "on" ? "the frontend, or NODES" : "the frontend, NODES, or a computeset");
    auto arguments = std::make_shared<PowerArguments>();
    arguments->action = action;
    command->add_option("CLUSTER", arguments->start.cluster, "whose nodes")->required();
    command->add_option("NODES", arguments->start.nodes,
                        "a list of nodes, or a computeset's number; else the frontend");
    if (action == "on") {
      command->add_option("--count", arguments->start.count, "start as many");
      command->add_option("--allocation", arguments->start.allocation, "which is charged");
      command->add_option("--walltime", arguments->start.walltime, "as 90m, 2h, 1d, 1w");
    }
    // A reboot ends as it begins: there is nothing to wait for.
    if (action != "reboot" && action != "reset") add_wait_options(*command, arguments->start.wait);
    command->callback([&chosen, arguments] {
      chosen = [arguments](const Api& api) { return power(api, *arguments); };
    });
  }
}

}  // namespace nucleus::client

// power: nodes, computesets and frontends on and off, in the grammar of both generations of the
// client: `power on CLUSTER NODES` starts a computeset where the nodes are in none (the first
// generation), else it powers those nodes on.
#include <algorithm>
#include <iostream>
#include <set>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// What a power command was said of.
struct Power {
  const Words& words;
  std::string action = words.command().name;
  std::string cluster = words["CLUSTER"];
  std::string nodes = words["NODES"];

  /// The server's word for it.
  std::string verb() const { return action == "on" || action == "off" ? "power" + action : action; }
};

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

core::Result<int> power_set(const Api& api, const Power& power) {
  if (power.action == "on" || power.action == "off")
    return core::refuse(ErrorCode::invalid_argument,
                        "Action NOT SUPPORTED! Use 'comet start/terminate'!");
  auto done = api.put("/nucleus/v1/computeset/" + power.nodes + "/" + power.verb());
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of " << power.action << " computeset "
            << power.nodes << "\n";
  return 0;
}

/// Every name of them in a running computeset of the cluster?
core::Result<bool> are_all_running(const Api& api, const std::string& cluster,
                                   const std::vector<std::string>& names) {
  const auto sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  std::set<std::string> running;
  for (const auto& set : sets->items())
    if (set["cluster"].text() == cluster && set["state"].text() == "running")
      for (const auto& name : compute_names(set)) running.insert(name);
  return std::ranges::all_of(names, [&](const auto& name) { return running.contains(name); });
}

core::Result<int> wait_for_power(const Api& api, const Power& power,
                                 const std::vector<std::string>& names) {
  if (!power.words.has("--wait")) return 0;
  const bool is_on = power.action == "on";
  return wait_until_done(api, wait_option(power.words), [&]() -> core::Result<Progress> {
    const auto cluster = get_cluster(api, power.cluster);
    if (!cluster) return std::unexpected(cluster.error());
    return power_progress(*cluster, names, is_on);
  });
}

core::Result<int> power_nodes(const Api& api, const Power& power) {
  const auto& cluster = power.cluster;
  const auto names = names_in(power.nodes);
  if (!names) return std::unexpected(names.error());
  if (power.action == "on") {
    const auto all_run = are_all_running(api, cluster, *names);
    if (!all_run) return std::unexpected(all_run.error());
    if (!*all_run) return start_nodes(api, power.words);
  }
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  const std::string frontend = (*known)["frontend"]["name"].text();
  // All names are looked at before any is touched.
  for (const auto& name : *names) {
    if (name == frontend) continue;
    const auto nodes = (*known)["computes"].items();
    const auto node = std::ranges::find(
        nodes, name, [](const Json& each) -> const std::string& { return each["name"].text(); });
    if (node == nodes.end())
      return core::refuse(ErrorCode::not_found,
                          "cluster " + cluster + " has no node " + msg::shown(name));
    if ((*node)["active_computeset"].text().empty())
      return core::refuse(ErrorCode::wrong_state,
                          "node " + name + " is in no active computeset: use comet start");
  }
  bool is_well = true;
  for (const auto& name : *names) {
    const std::string node = name == frontend ? "frontend" : "compute/" + encoded(name);
    auto done =
        api.put("/nucleus/v1/cluster/" + encoded(cluster) + "/" + node + "/" + power.verb());
    if (done) continue;
    std::cerr << "comet: " << name << ": " << done.error().detail << "\n";
    is_well = false;
  }
  if (!is_well) return 1;
  std::cout << "Request Accepted. In the process of power " << power.action << " " << power.nodes
            << std::endl;
  return wait_for_power(api, power, *names);
}

}  // namespace

core::Result<int> power(const Api& api, const Words& words) {
  const Power power{.words = words};
  if (is_number(power.nodes)) return power_set(api, power);
  if (!power.nodes.empty()) return power_nodes(api, power);
  if (power.action == "on" && words.number("--count")) return start_nodes(api, words);
  auto done =
      api.put("/nucleus/v1/cluster/" + encoded(power.cluster) + "/frontend/" + power.verb());
  if (!done && done.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "there is no cluster " + msg::shown(power.cluster));
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of power " << power.action << " the frontend of "
            << power.cluster << std::endl;
  return wait_for_power(api, power, {});
}

}  // namespace nucleus::client

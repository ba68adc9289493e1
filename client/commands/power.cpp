// power: nodes, computesets and frontends on and off, in the grammar of both generations of the
// client. `power on CLUSTER NODES` starts a computeset unless all nodes are in a running one (first
// generation); then it powers the nodes on (second generation).
#include <algorithm>
#include <iostream>
#include <set>

#include "client/commands/commands.hpp"
#include "client/commands/waiting.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// A power command's action and target.
struct Power {
  const Words& words;
  WaitOption wait;
  std::string action = words.command().name;
  std::string cluster = words["CLUSTER"];
  std::string nodes = words["NODES"];

  /// The action's name in a URL.
  std::string verb() const { return action == "on" || action == "off" ? "power" + action : action; }
};

core::Result<int> power_set(const Api& api, const Power& power) {
  const std::string& id = power.nodes;
  if (power.action == "on" || power.action == "off")
    return core::refuse(ErrorCode::invalid_argument,
                        "Action NOT SUPPORTED! Use 'comet start/terminate'!");
  const auto cluster = get_cluster(api, power.cluster);
  if (!cluster) return std::unexpected(cluster.error());
  const auto set = api.get("/nucleus/v1/computeset/" + id + "/");
  if (!set && set.error().code != ErrorCode::not_found) return std::unexpected(set.error());
  if (!set || (*set)["cluster"].text() != power.cluster)
    return core::refuse(ErrorCode::not_found,
                        "cluster " + power.cluster + " has no computeset " + id);
  if (auto active = check_unfinished(*set); !active) return std::unexpected(active.error());
  if (power.words.has("--plan"))
    return show_plan(api, "POST", "/v2/computesets/" + id + "/power",
                     Json::object({{"action", power.action}}));
  auto done = api.put("/nucleus/v1/computeset/" + id + "/" + power.verb());
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of " << power.action << " computeset " << id
            << std::endl;
  return power.wait.is_wanted ? wait_until_done(api, power.wait, look_at_set(api, id, false)) : 0;
}

/// True if a running computeset of the cluster holds each of these nodes.
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
  if (!power.wait.is_wanted) return 0;
  const bool is_on = power.action == "on";
  return wait_until_done(api, power.wait, [&]() -> core::Result<Progress> {
    const auto cluster = get_cluster(api, power.cluster);
    if (!cluster) return std::unexpected(cluster.error());
    return power_progress(*cluster, names, is_on);
  });
}

/// Each name must be the frontend's or that of a node in an active computeset.
core::Result<void> check_nodes(const Json& cluster, const std::vector<std::string>& names) {
  if (auto known = check_members(cluster, names); !known) return known;
  for (const auto& node : cluster["computes"].items()) {
    const auto& name = node["name"].text();
    if (node["active_computeset"].text().empty() && std::ranges::find(names, name) != names.end())
      return core::refuse(ErrorCode::wrong_state,
                          "node " + name + " is in no active computeset: use comet start");
  }
  return {};
}

/// Refuses the options of a start if nothing is started.
core::Result<void> check_starts_nothing(const Words& words) {
  for (const char* option : {"--count", "--allocation", "--reservation", "--walltime"})
    if (words.is_given(option))
      return core::refuse(ErrorCode::invalid_argument,
                          std::string(option) + " has no effect: no computeset is started");
  return {};
}

core::Result<int> power_nodes(const Api& api, const Power& power) {
  const auto& cluster = power.cluster;
  const auto names = names_in(power.nodes);
  if (!names) return std::unexpected(names.error());
  if (power.action == "on") {
    const auto all_run = are_all_running(api, cluster, *names);
    if (!all_run) return std::unexpected(all_run.error());
    // A repeated command finds them started, and its options have had their effect.
    if (!*all_run) return start_nodes(api, power.words);
  } else if (auto checked = check_starts_nothing(power.words); !checked) {
    return std::unexpected(checked.error());
  }
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  // The server decides for all of them at once; these refusals also say what to do.
  if (auto checked = check_nodes(*known, *names); !checked) return std::unexpected(checked.error());
  const auto address = "/v2/clusters/" + encoded(cluster) + "/power";
  auto body = Json::object({{"nodes", list_of(*names)}, {"action", power.action}});
  if (power.words.has("--plan")) return show_plan(api, "POST", address, std::move(body));
  const auto done = api.post(address, body);
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of power " << power.action << " " << power.nodes
            << std::endl;
  return wait_for_power(api, power, *names);
}

}  // namespace

core::Result<int> power(const Api& api, const Words& words) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  const Power power{.words = words, .wait = *wait};
  if (is_number(power.nodes)) return power_set(api, power);
  // An empty list, such as an unset variable of a script, is not the frontend.
  if (words.has("NODES")) return power_nodes(api, power);
  if (power.action == "on" && words.number("--count")) return start_nodes(api, words);
  if (auto checked = check_starts_nothing(words); !checked) return std::unexpected(checked.error());
  if (words.has("--plan"))
    return show_plan(
        api, "POST",
        "/v2/clusters/" + encoded(power.cluster) + "/nodes/" + encoded(power.cluster) + "/power",
        Json::object({{"action", power.action}}));
  auto done =
      api.put("/nucleus/v1/cluster/" + encoded(power.cluster) + "/frontend/" + power.verb());
  if (!done && done.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such cluster: " + msg::shown(power.cluster));
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of power " << power.action << " the frontend of "
            << power.cluster << std::endl;
  return wait_for_power(api, power, {});
}

}  // namespace nucleus::client

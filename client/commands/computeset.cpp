// computeset, start and terminate.
#include <algorithm>
#include <ctime>
#include <iostream>
#include <map>

#include "client/commands/commands.hpp"
#include "client/commands/waiting.hpp"
#include "client/commands/walltime.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// Who asked for computesets, and what first-generation clients do not know of them, by their ids.
using Askers = std::map<std::string, Json>;

/// Of one computeset, or of those in a state if the id is empty.
core::Result<Askers> get_askers(const Api& api, const std::string& id, const std::string& state) {
  const std::string fields =
      "fields=computeset_id,state,person_id,on_behalf_of,hibernated_unix_s,hibernated_s";
  Json found = Json::list();
  if (id.empty()) {
    auto all = api.get_all("/v2/computesets?limit=1000&state=" + encoded(state) + "&" + fields,
                           "computesets");
    if (!all) return std::unexpected(all.error());
    found = std::move(*all);
  } else {
    auto one = api.get("/v2/computesets/" + encoded(id) + "?" + fields);
    if (!one) return std::unexpected(one.error());
    found.add(std::move(*one));
  }
  Askers askers;
  for (const auto& each : found.items()) askers[each["computeset_id"].text()] = each;
  return askers;
}

/// Prints a summary in the format of first-generation clients, and who asked for it, then the
/// nodes.
void print_set(const Json& set, const Json& asker) {
  std::cout << "ClusterID: " << set["cluster"].text() << "\nComputesetID: " << set["id"].text()
            << "\nState: " << asker["state"].text() << "\nAllocation: " << set["account"].text()
            << "\n";
  if (const auto& person = asker["person_id"].text(); !person.empty())
    std::cout << "Person: " << person << "\n";
  if (const auto& user = asker["on_behalf_of"].text(); !user.empty())
    std::cout << "On behalf of: " << user << "\n";
  const std::int64_t walltime = set["walltime_mins"].number().value_or(0);
  std::int64_t run_mins = 0;
  if (const auto began = set["start_time"].number()) {
    const auto start = *began;
    const auto hibernated = asker["hibernated_unix_s"].number().value_or(0);
    const auto paused_s = asker["hibernated_s"].number().value_or(0);
    const auto now = hibernated ? hibernated : static_cast<std::int64_t>(std::time(nullptr));
    run_mins = std::max<std::int64_t>(0, (now - start - paused_s) / 60);
    std::cout << "Start: " << shown_time(start);
    if (hibernated)
      std::cout << "\nHibernated: " << shown_time(hibernated) << "\n";
    else
      std::cout << "\nEnd (est): " << shown_time(start + paused_s + walltime * 60) << "\n";
  }
  std::cout << "Requested/Running/Remaining: " << shown_minutes(walltime) << " / "
            << shown_minutes(run_mins) << " / "
            << shown_minutes(std::max<std::int64_t>(0, walltime - run_mins)) << "\n";
  std::cout << rendered(computeset_view(set), Format::table);
}

/// Names the computeset that holds a node, which the server's refusal does not.
core::Result<void> check_free(const Api& api, const std::string& cluster,
                              const std::string& nodes) {
  if (nodes.empty()) return {};
  const auto names = names_in(nodes);
  if (!names) return std::unexpected(names.error());
  const auto sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  for (const auto& set : sets->items()) {
    if (set["cluster"].text() != cluster) continue;
    for (const auto& name : compute_names(set))
      if (std::ranges::find(*names, name) != names->end())
        return core::refuse(ErrorCode::wrong_state, "node " + name + " is already in computeset " +
                                                        set["id"].text() + " (" +
                                                        set["state"].text() + ")");
  }
  return {};
}

/// Lets the person choose if the cluster has several allocations; the server uses the only one.
core::Result<std::string> pick_allocation(const Api& api, const std::string& cluster) {
  const auto found = get_cluster(api, cluster);
  if (!found) return std::unexpected(found.error());
  const auto names = texts_of((*found)["allocations"]);
  if (names.size() < 2) return std::string();
  return pick("allocation", names);
}

/// `not_found` names it.
core::Result<Json> get_set(const Api& api, const std::string& id) {
  auto set = api.get("/nucleus/v1/computeset/" + encoded(id) + "/");
  if (!set && set.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such computeset: " + msg::shown(id));
  return set;
}

core::Result<void> check_state(const std::string& state) {
  for (const char* known : {"created", "submitted", "running", "ending", "completed", "failed",
                            "cancelled", "hibernating", "hibernated"})
    if (state == known) return {};
  return core::refuse(ErrorCode::invalid_argument,
                      "--state must be created, submitted, running, ending, completed, failed, "
                      "cancelled, hibernating or hibernated",
                      "state");
}

/// The minutes of an argument. A number without a unit is taken as minutes, with a warning.
core::Result<std::int64_t> read_walltime(const Words& words, const std::string& name) {
  const auto walltime = parse_walltime(words[name], name);
  if (!walltime) return std::unexpected(walltime.error());
  if (walltime->has_no_unit)
    std::cerr << "comet: " << name << " " << words[name] << " is taken as minutes\n";
  return walltime->minutes;
}

/// Refuses a filter that names no cluster or allocation, which would select nothing.
core::Result<void> check_filters(const Api& api, const Words& words) {
  if (words.has("--cluster"))
    if (const auto known = get_cluster(api, words["--cluster"]); !known)
      return std::unexpected(known.error());
  if (!words.has("--allocation")) return {};
  const auto allocation = words["--allocation"];
  const auto known = api.get("/v2/allocations/" + encoded(allocation));
  if (known) return {};
  if (known.error().code != ErrorCode::not_found) return std::unexpected(known.error());
  return core::refuse(ErrorCode::not_found, "no such allocation: " + msg::shown(allocation));
}

}  // namespace

LookAt look_at_set(const Api& api, const std::string& id, bool is_start) {
  return [&api, id, is_start]() -> core::Result<Progress> {
    const auto set = get_set(api, id);
    if (!set) return std::unexpected(set.error());
    return is_start ? start_progress(*set) : end_progress(*set);
  };
}

core::Result<int> show_sets(const Api& api, const Words& words) {
  const auto known = format_of(words["--format"]);
  if (!known) return std::unexpected(known.error());
  const auto id = words["ID"];
  const auto state = words.has("--state") ? words["--state"] : "running";
  Json sets = Json::list();
  if (!id.empty()) {
    auto set = get_set(api, id);
    if (!set) return std::unexpected(set.error());
    sets.add(std::move(*set));
  } else {
    if (auto checked = check_state(state); !checked) return std::unexpected(checked.error());
    const auto found = api.get("/nucleus/v1/computeset/?state=" + encoded(state));
    if (!found) return std::unexpected(found.error());
    const auto is_chosen = [&](const Json& set, const char* option, const char* key) {
      return !words.has(option) || set[key].text() == words[option];
    };
    for (const auto& set : found->items())
      if (is_chosen(set, "--cluster", "cluster") && is_chosen(set, "--allocation", "account"))
        sets.add(set);
    if (sets.items().empty())
      if (auto checked = check_filters(api, words); !checked)
        return std::unexpected(checked.error());
  }
  auto askers = get_askers(api, id, state);
  if (!askers) return std::unexpected(askers.error());
  if (*known == Format::table) {
    for (const auto& set : sets.items()) print_set(set, (*askers)[set["id"].text()]);
    return 0;
  }
  Listing listing{.columns = {"id", "cluster", "state", "allocation", "walltime_mins", "start_time",
                              "nodes", "person", "on behalf of"}};
  for (const auto& set : sets.items()) {
    std::string nodes;
    for (const auto& name : compute_names(set)) nodes += (nodes.empty() ? "" : ",") + name;
    const auto& asker = (*askers)[set["id"].text()];
    listing.rows.push_back({set["id"].text(), set["cluster"].text(), asker["state"].text(),
                            set["account"].text(), set["walltime_mins"].text(),
                            set["start_time"].text(), nodes, asker["person_id"].text(),
                            asker["on_behalf_of"].text()});
  }
  return print(listing, words["--format"], sets);
}

core::Result<int> start_nodes(const Api& api, const Words& words) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  const auto cluster = words["CLUSTER"];
  auto body = Json::object({{"cluster_id", cluster}});
  if (words.has("--walltime")) {
    const auto minutes = read_walltime(words, "--walltime");
    if (!minutes) return std::unexpected(minutes.error());
    body.set("walltime_mins", *minutes);
  }
  const auto nodes = words["NODES"];
  const auto count = words.number("--count");
  if (nodes.empty() == (count == 0))
    return core::refuse(ErrorCode::invalid_argument, "give either NODES or --count");
  if (auto free = check_free(api, cluster, nodes); !free) return std::unexpected(free.error());
  auto allocation = words["--allocation"];
  if (allocation.empty() && is_input_terminal()) {
    const auto picked = pick_allocation(api, cluster);
    if (!picked) return std::unexpected(picked.error());
    allocation = *picked;
  }
  if (count) body.set("count", count);
  if (const auto least = words.number("--at-least")) body.set("node_count_min", least);
  if (!nodes.empty()) {
    const auto names = names_in(nodes);
    if (!names) return std::unexpected(names.error());
    body.set("names", list_of(*names));
  }
  if (!allocation.empty()) body.set("allocation_id", allocation);
  if (words.has("--reservation")) body.set("reservation", words["--reservation"]);
  if (words.has("--class")) body.set("host_class", words["--class"]);
  if (words.has("--on-behalf-of")) body.set("on_behalf_of", words["--on-behalf-of"]);
  if (words.has("--plan")) body.set("plan", Json::boolean(true));
  const auto answer = api.post("/v2/computesets", body);
  if (!answer && answer.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such cluster: " + msg::shown(cluster));
  if (!answer) return std::unexpected(answer.error());
  if (words.has("--plan")) {
    print_start_plan(*answer);
    return 0;
  }
  const auto id = (*answer)["computeset_id"].text();
  std::cout << "Request accepted! Check status with:\ncomet cluster " << cluster
            << "\nor:\ncomet computeset " << id << std::endl;
  return wait->is_wanted ? wait_until_done(api, *wait, look_at_set(api, id, true)) : 0;
}

core::Result<int> change_walltime(const Api& api, const Words& words) {
  const auto id = words["ID"];
  const auto minutes = read_walltime(words, "WALLTIME");
  if (!minutes) return std::unexpected(minutes.error());
  const auto address = "/v2/computesets/" + encoded(id);
  auto body = Json::object({{"walltime_mins", *minutes}});
  if (words.has("--plan")) return show_plan(api, "PATCH", address, std::move(body));
  const auto changed = api.send("PATCH", address, body);
  if (!changed && changed.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such computeset: " + msg::shown(id));
  if (!changed) return std::unexpected(changed.error());
  std::cout << "Computeset " << id << " may run for " << shown_minutes(*minutes) << "."
            << std::endl;
  return 0;
}

core::Result<int> terminate_set(const Api& api, const Words& words) {
  const auto wait = wait_option(words);
  if (!wait) return std::unexpected(wait.error());
  const auto id = words["ID"];
  const auto set = get_set(api, id);
  if (!set) return std::unexpected(set.error());
  if (auto active = check_unfinished(*set); !active) return std::unexpected(active.error());
  if (words.has("--plan"))
    return show_plan(api, "POST", "/v2/computesets/" + encoded(id) + "/power",
                     Json::object({{"action", "shutdown"}}));
  auto done = api.put("/nucleus/v1/computeset/" + encoded(id) + "/shutdown");
  if (!done && done.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found, "no such computeset: " + msg::shown(id));
  if (!done) return std::unexpected(done.error());
  std::cout << "Request Accepted. In the process of terminating the nodes of computeset " << id
            << std::endl;
  return wait->is_wanted ? wait_until_done(api, *wait, look_at_set(api, id, false)) : 0;
}

}  // namespace nucleus::client

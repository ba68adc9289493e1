// computeset, start and terminate.
#include <chrono>
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/views.hpp"
#include "client/walltime.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string shown_time(std::int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts{};
  localtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

/// Its head, as old clients print it, then its nodes.
void print_set(const Json& set) {
  std::cout << "ClusterID: " << text_at(set, "cluster") << "\nComputesetID: " << text_at(set, "id")
            << "\nState: " << text_at(set, "state") << "\nAllocation: " << text_at(set, "account")
            << "\n";
  const std::int64_t walltime = set.value("walltime_mins", Json(0)).get<std::int64_t>();
  std::int64_t run_mins = 0;
  if (set.contains("start_time") && set["start_time"].is_number_integer()) {
    const auto start = set["start_time"].get<std::int64_t>();
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    run_mins = std::max<std::int64_t>(0, (now - start) / 60);
    std::cout << "Start: " << shown_time(start)
              << "\nEnd (est): " << shown_time(start + walltime * 60) << "\n";
  }
  std::cout << "Requested/Running/Remaining: " << shown_minutes(walltime) << " / "
            << shown_minutes(run_mins) << " / "
            << shown_minutes(std::max<std::int64_t>(0, walltime - run_mins)) << "\n";
  std::cout << rendered(computeset_view(set), Format::table);
}

struct SetArguments {
  std::string id = {};
  std::string cluster = {};
  std::string allocation = {};
  std::string state = {};
};

core::Result<int> show_sets(const Api& api, const SetArguments& arguments,
                            const std::string& format) {
  const auto known = format_of(format);
  if (!known) return std::unexpected(known.error());
  Json sets = Json::array();
  if (!arguments.id.empty()) {
    auto set = api.get("/nucleus/v1/computeset/" + encoded(arguments.id) + "/");
    if (!set && set.error().code == ErrorCode::not_found)
      return core::refuse(ErrorCode::not_found,
                          "there is no computeset " + msg::shown(arguments.id));
    if (!set) return std::unexpected(set.error());
    sets.push_back(std::move(*set));
  } else {
    const std::string state = arguments.state.empty() ? "running" : arguments.state;
    auto found = api.get("/nucleus/v1/computeset/?state=" + encoded(state));
    if (!found) return std::unexpected(found.error());
    for (auto& set : *found) {
      const bool is_asked =
          (arguments.cluster.empty() || text_at(set, "cluster") == arguments.cluster) &&
          (arguments.allocation.empty() || text_at(set, "account") == arguments.allocation);
      if (is_asked) sets.push_back(std::move(set));
    }
  }
  if (*known == Format::table) {
    for (const auto& set : sets) print_set(set);
    return 0;
  }
  Listing listing{
      .columns = {"id", "cluster", "state", "allocation", "walltime_mins", "start_time", "nodes"}};
  for (const auto& set : sets) {
    std::string nodes;
    for (const auto& name : compute_names(set)) nodes += (nodes.empty() ? "" : ",") + name;
    listing.rows.push_back({text_at(set, "id"), text_at(set, "cluster"), text_at(set, "state"),
                            text_at(set, "account"), text_at(set, "walltime_mins"),
                            text_at(set, "start_time"), nodes});
  }
  return print(listing, format, sets);
}

/// Old clients looked before they asked; the server looks again.
core::Result<void> check_free(const Api& api, const StartArguments& arguments) {
  if (arguments.nodes.empty()) return {};
  const auto names = names_in(arguments.nodes);
  if (!names) return std::unexpected(names.error());
  const auto sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  for (const auto& set : *sets) {
    if (text_at(set, "cluster") != arguments.cluster) continue;
    for (const auto& name : compute_names(set))
      if (std::ranges::find(*names, name) != names->end())
        return core::refuse(ErrorCode::wrong_state, "node " + name + " is in computeset " +
                                                        text_at(set, "id") + " (" +
                                                        text_at(set, "state") + ") already");
  }
  return {};
}

/// The cluster's only allocation is the server's to find; of several the person picks one, by its
/// number or name.
core::Result<std::string> pick_allocation(const Api& api, const std::string& cluster) {
  const auto found = get_cluster(api, cluster);
  if (!found) return std::unexpected(found.error());
  std::vector<std::string> names;
  for (const auto& name : found->value("allocations", Json::array()))
    if (name.is_string()) names.push_back(name);
  if (names.size() < 2) return std::string();
  constexpr std::size_t a_line = 5;
  for (std::size_t i = 0; i < names.size(); ++i)
    std::cout << i + 1 << ": " << names[i]
              << ((i + 1) % a_line == 0 || i + 1 == names.size() ? "\n" : "\t");
  const auto answer = ask("Allocation, by its number or name", names.front());
  for (std::size_t i = 0; answer && i < names.size(); ++i)
    if (*answer == names[i] || *answer == std::to_string(i + 1)) return names[i];
  return core::refuse(ErrorCode::invalid_argument, "no such allocation", "allocation");
}

LookAt look_at_set(const Api& api, const std::string& id, bool is_start) {
  return [&api, id, is_start]() -> core::Result<Progress> {
    const auto set = api.get("/nucleus/v1/computeset/" + encoded(id) + "/");
    if (!set) return std::unexpected(set.error());
    return is_start ? start_progress(*set) : end_progress(*set);
  };
}

}  // namespace

core::Result<int> start_computeset(const Api& api, const StartArguments& arguments) {
  Json body{{"cluster", arguments.cluster}};
  std::string allocation = arguments.allocation;
  if (!arguments.walltime.empty()) {
    const auto walltime = parse_walltime(arguments.walltime);
    if (!walltime) return std::unexpected(walltime.error());
    if (walltime->has_no_unit)
      std::cerr << "comet: --walltime " << arguments.walltime << " is taken as minutes\n";
    body["walltime_mins"] = walltime->minutes;
  }
  if (arguments.nodes.empty() == (arguments.count == 0))
    return core::refuse(ErrorCode::invalid_argument, "say which NODES, or how many with --count");
  if (auto free = check_free(api, arguments); !free) return std::unexpected(free.error());
  if (allocation.empty() && is_asked_at_terminal()) {
    const auto picked = pick_allocation(api, arguments.cluster);
    if (!picked) return std::unexpected(picked.error());
    allocation = *picked;
  }
  if (arguments.count) body["count"] = arguments.count;
  if (!arguments.nodes.empty()) body["computes"] = arguments.nodes;
  if (!allocation.empty()) body["allocation"] = allocation;
  if (!arguments.reservation.empty()) body["reservation"] = arguments.reservation;
  const auto set = api.post("/nucleus/v1/computeset/", body);
  if (!set && set.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found,
                        "there is no cluster " + msg::shown(arguments.cluster));
  if (!set) return std::unexpected(set.error());
  std::cout << "Request accepted! Check status with:\ncomet cluster " << arguments.cluster
            << "\nor:\ncomet computeset " << text_at(*set, "id") << std::endl;
  if (!arguments.wait.is_wanted) return 0;
  return wait_until_done(api, arguments.wait, look_at_set(api, text_at(*set, "id"), true));
}

void add_computeset(CLI::App& app, Action& chosen) {
  auto* show = app.add_subcommand("computeset", "nodes that were started together");
  auto arguments = std::make_shared<SetArguments>();
  show->add_option("ID", arguments->id, "this one alone");
  show->add_option("--cluster", arguments->cluster, "of this cluster");
  show->add_option("--allocation", arguments->allocation, "charged to this allocation");
  show->add_option("--state", arguments->state, "in this state, else running");
  auto format = add_format_option(*show);
  show->callback([&chosen, arguments, format] {
    chosen = [arguments, format](const Api& api) { return show_sets(api, *arguments, *format); };
  });

  auto* start = app.add_subcommand("start", "start compute nodes of a cluster");
  auto wanted = std::make_shared<StartArguments>();
  start->add_option("CLUSTER", wanted->cluster, "whose nodes")->required();
  start->add_option("NODES", wanted->nodes, "a list, as vm-c-[00-03]");
  start->add_option("--count", wanted->count, "as many, whichever are free");
  start->add_option("--allocation", wanted->allocation, "which is charged");
  start->add_option("--reservation", wanted->reservation, "of the batch system");
  start->add_option("--walltime", wanted->walltime, "as 90m, 2h, 1d, 1w; else 2 days");
  add_wait_options(*start, wanted->wait);
  start->callback([&chosen, wanted] {
    chosen = [wanted](const Api& api) { return start_computeset(api, *wanted); };
  });

  auto* end = app.add_subcommand("terminate", "end a computeset: its nodes shut down");
  auto id = std::make_shared<std::int64_t>(0);
  auto wait = std::make_shared<WaitOption>();
  end->add_option("ID", *id, "of the computeset")->required();
  add_wait_options(*end, *wait);
  end->callback([&chosen, id, wait] {
    chosen = [id, wait](const Api& api) -> core::Result<int> {
      auto done = api.put("/nucleus/v1/computeset/" + std::to_string(*id) + "/shutdown");
      if (!done && done.error().code == ErrorCode::not_found)
        return core::refuse(ErrorCode::not_found, "there is no computeset " + std::to_string(*id));
      if (!done) return std::unexpected(done.error());
      std::cout << "Request Accepted. In the process of terminating the nodes of computeset " << *id
                << std::endl;
      if (!wait->is_wanted) return 0;
      return wait_until_done(api, *wait, look_at_set(api, std::to_string(*id), false));
    };
  });
}

}  // namespace nucleus::client

// --plan of changes: what the server would do, as it says itself.
#include <cstdlib>
#include <iostream>
#include <map>

#include "client/commands/commands.hpp"
#include "client/output/views.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

std::string with_reason(const Json& thing) {
  const auto& reason = thing["reason"].text();
  return thing["state"].text() + (reason.empty() ? std::string() : ": " + reason);
}

/// A line for all nodes that become alike.
void print_nodes(const Json& nodes) {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& node : nodes.items()) names[with_reason(node)].push_back(node["name"].text());
  for (const auto& [state, alike] : names)
    std::cout << (alike.size() == 1 ? "node " : "nodes ") << core::hostlist::collect(alike) << ": "
              << state << "\n";
}

void print_price(const Json& plan) {
  const auto more_core_s = plan["more_core_s_max"].number().value_or(0);
  if (more_core_s == 0) return;
  const auto& left = plan["left_core_s"];
  std::cout << "Price: at most " << shown_core_hours(std::abs(more_core_s)) << " core hours "
            << (more_core_s > 0 ? "more" : "less") << "; the allocation has "
            << (left.number() ? shown_core_hours(*left.number()) + " left" : "no limit") << "\n";
}

}  // namespace

void print_change_plan(const Json& plan) {
  for (const auto& set : plan["computesets"].items()) {
    std::cout << "computeset " << set["computeset_id"].text() << ": " << with_reason(set);
    const auto start_unix_s = set["start_unix_s"].number().value_or(0);
    if (set["state"].text() == "running" && start_unix_s > 0)
      std::cout << ", until "
                << shown_time(start_unix_s + set["walltime_mins"].number().value_or(0) * 60 +
                              set["hibernated_s"].number().value_or(0))
                << " at the latest";
    std::cout << "\n";
  }
  print_nodes(plan["nodes"]);
  print_price(plan);
  std::cout << "Nothing was changed: this was a plan.\n";
}

core::Result<int> show_plan(const Api& api, const std::string& method, const std::string& address,
                            Json body) {
  const auto plan = api.send(method, address, body.set("plan", Json::boolean(true)));
  if (!plan) return std::unexpected(plan.error());
  print_change_plan(*plan);
  return 0;
}

}  // namespace nucleus::client

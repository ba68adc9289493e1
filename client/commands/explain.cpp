// why, and start --plan: what the scheduler knows about a state, and about a start before it is
// made.
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string time_of(const Json& object, std::string_view field) {
  const auto unix_s = object[field].number().value_or(0);
  return unix_s == 0 ? std::string() : shown_time(unix_s);
}

std::string in_hundredths(const Json& number) {
  return fmt::format("{:.2f}", std::strtod(number.text().c_str(), nullptr));
}

/// What was asked for, then what it waits for, indented.
void print_causes(const Json& causes) {
  for (const auto& cause : causes.items()) {
    std::cout << cause["subject"].text() << ": " << cause["state"].text();
    if (const auto& reason = cause["reason"].text(); !reason.empty()) std::cout << ": " << reason;
    std::cout << "\n";
    if (const auto& remedy = cause["remedy"].text(); !remedy.empty())
      std::cout << "    what changes it: " << remedy << "\n";
    if (const auto until = time_of(cause, "until_unix_s"); !until.empty())
      std::cout << "    until: " << until << ", at the latest\n";
  }
}

void print_expected_start(const Json& object) {
  const auto expected = time_of(object, "expected_start_unix_s");
  std::cout << "Expected start: " << (expected.empty() ? "not known" : expected);
  const auto latest = time_of(object, "latest_start_unix_s");
  if (!latest.empty())
    std::cout << "; 8 of 10 start between " << time_of(object, "earliest_start_unix_s") << " and "
              << latest;
  std::cout << "\n";
}

/// The address of what the words name: a computeset's ID, or a cluster and a node.
core::Result<std::string> address_of(const Words& words) {
  const auto what = words["WHAT"];
  const auto node = words["NODE"];
  if (words.has("--host")) {
    if (!what.empty())
      return core::refuse(ErrorCode::invalid_argument, "give a host, or something else, not both");
    return "/v2/hosts/" + encoded(words["--host"]) + "/why";
  }
  if (what.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "give a computeset's ID, a cluster and a node, or --host");
  if (!is_number(what))
    return "/v2/clusters/" + encoded(what) + "/nodes/" + encoded(node.empty() ? what : node) +
           "/why";
  if (!node.empty())
    return core::refuse(ErrorCode::invalid_argument, "a computeset's ID is given without a node");
  return "/v2/computesets/" + what + "/why";
}

}  // namespace

core::Result<int> explain(const Api& api, const Words& words) {
  const auto address = address_of(words);
  if (!address) return std::unexpected(address.error());
  const auto found = api.get(*address);
  if (!found && found.error().code == ErrorCode::not_found) {
    const auto name = words.has("--host")     ? "host " + words["--host"]
                      : words["NODE"].empty() ? words["WHAT"]
                                              : words["WHAT"] + " " + words["NODE"];
    return core::refuse(ErrorCode::not_found, "no such thing: " + msg::shown(name));
  }
  if (!found) return std::unexpected(found.error());
  print_causes((*found)["causes"]);
  if (const auto& queue = (*found)["queue"]; queue.is_object()) {
    print_expected_start(*found);
    std::cout << "Before it: " << queue["ahead"].text() << " computesets; priority "
              << in_hundredths(queue["priority"]) << " (age " << in_hundredths(queue["age"])
              << ", fair share " << in_hundredths(queue["fair_share"]) << ")\n";
  }
  for (const auto& step : (*found)["timeline"].items())
    std::cout << time_of(step, "unix_s") << "  " << step["text"].text() << "\n";
  return 0;
}

void print_start_plan(const Json& plan) {
  const auto& set = plan["computeset"];
  const auto hosts = texts_of(plan["hosts"]);
  std::cout << "Nodes: " << core::hostlist::collect(texts_of(plan["names"]));
  if (!hosts.empty()) std::cout << " on " << core::hostlist::collect(hosts);
  if (const auto& host_class = set["host_class"].text(); host_class != "default")
    std::cout << " (class " << host_class << ")";
  if (const auto& reason = set["reason"].text(); !hosts.empty() && !reason.empty())
    std::cout << "\nIt would be " << reason;
  const auto& left = plan["left_core_s"];
  std::cout << "\nPrice: at most " << shown_core_hours(plan["core_s_max"].number().value_or(0))
            << " core hours of allocation " << set["allocation_id"].text() << ", which has "
            << (left.number() ? shown_core_hours(*left.number()) + " left" : "no limit") << "\n";
  if (hosts.empty()) {
    print_expected_start(plan);
    print_causes(plan["causes"]);
  } else {
    std::cout << "Expected start: now\n";
  }
  std::cout << "Nothing was changed: this was a plan.\n";
}

}  // namespace nucleus::client

// What several commands share.
#include <iostream>

#include "client/commands/commands.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

// More than any cluster has: a list that stands for more is a slip.
constexpr std::size_t names_max = 10'000;

}  // namespace

std::shared_ptr<std::string> add_format_option(CLI::App& command) {
  auto format = std::make_shared<std::string>("table");
  command.add_option("--format", *format, "table, json, yaml, csv or rest")->capture_default_str();
  return format;
}

void add_wait_options(CLI::App& command, WaitOption& option) {
  command.add_flag("--wait", option.is_wanted, "return when it is done; shows how far it is");
  command.add_option("--wait-limit", option.limit, "for no longer than this")
      ->capture_default_str();
}

core::Result<int> print(const Listing& listing, const std::string& format, const Json& raw) {
  const auto known = format_of(format);
  if (!known) return std::unexpected(known.error());
  if (*known == Format::rest)
    std::cout << raw.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  else
    std::cout << rendered(listing, *known);
  return 0;
}

core::Result<Json> get_cluster(const Api& api, const std::string& cluster) {
  auto found = api.get("/nucleus/v1/cluster/" + encoded(cluster) + "/");
  if (!found && found.error().code == core::ErrorCode::not_found)
    return core::refuse(core::ErrorCode::not_found, "there is no cluster " + msg::shown(cluster));
  return found;
}

core::Result<std::vector<std::string>> names_in(const std::string& list) {
  auto names = core::hostlist::expand(list, names_max);
  if (!names)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "not a list of nodes: " + names.error().detail);
  return names;
}

core::Result<Json> get_active_sets(const Api& api) {
  return api.get(
      "/nucleus/v1/computeset/?state=created&state=submitted&state=running&state=ending");
}

}  // namespace nucleus::client

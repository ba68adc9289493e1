// What several commands share.
#include <unistd.h>

#include <iostream>

#include "client/commands/commands.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

std::shared_ptr<std::string> add_format_option(CLI::App& command) {
  auto format = std::make_shared<std::string>("table");
  command.add_option("--format", *format, "table, json, yaml, csv or rest")->capture_default_str();
  return format;
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
  auto names = core::hostlist::expand(list);
  if (!names)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "not a list of nodes: " + names.error().detail);
  return names;
}

core::Result<Json> get_active_sets(const Api& api) {
  return api.get(
      "/nucleus/v1/computeset/?state=created&state=submitted&state=running&state=ending");
}

bool is_confirmed(const std::string& question) {
  if (!isatty(STDIN_FILENO)) return true;
  std::cout << question << " [Y/n] " << std::flush;
  std::string answer;
  if (!std::getline(std::cin, answer)) return false;
  return answer.empty() || answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace nucleus::client

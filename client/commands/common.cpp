// What several commands share.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

// More than any cluster has: a list that stands for more is a slip.
constexpr std::size_t names_max = 10'000;

}  // namespace

core::Result<int> run_at_server(RunAtServer run, Session& session, const Words& words) {
  const auto endpoint = words["--endpoint"];
  const auto api = session.api(endpoint.empty() ? words["--cloud"] : endpoint);
  if (!api) return std::unexpected(api.error());
  return run(**api, words);
}

WaitOption wait_option(const Words& words) {
  return {.is_wanted = words.has("--wait"), .limit = words["--wait-limit"]};
}

core::Result<int> print(const Listing& listing, const std::string& format, const Json& raw) {
  const auto known = format_of(format);
  if (!known) return std::unexpected(known.error());
  std::cout << (*known == Format::rest ? raw.dumped(2) + "\n" : rendered(listing, *known));
  return 0;
}

core::Result<int> print_rows(const core::Result<std::vector<LocalCopy::Row>>& rows,
                             std::vector<std::string> columns, const std::string& format) {
  if (!rows) return std::unexpected(rows.error());
  const Listing listing{.columns = std::move(columns), .rows = *rows};
  return print(listing, format == "rest" ? "json" : format, {});
}

core::Result<std::string> pick(const std::string& what, const std::vector<std::string>& names) {
  if (names.empty()) return core::refuse(core::ErrorCode::not_found, "there is no " + what);
  if (!is_asked_at_terminal())
    return core::refuse(core::ErrorCode::invalid_argument,
                        "say which " + what + ": there is no terminal to ask at");
  constexpr std::size_t a_line = 5;
  for (std::size_t i = 0; i < names.size(); ++i)
    std::cout << i + 1 << ": " << names[i]
              << ((i + 1) % a_line == 0 || i + 1 == names.size() ? "\n" : "\t");
  const auto answer = ask("Which " + what + ", by its number or name", names.front());
  for (std::size_t i = 0; answer && i < names.size(); ++i)
    if (*answer == names[i] || *answer == std::to_string(i + 1)) return names[i];
  return core::refuse(core::ErrorCode::invalid_argument, "no such " + what, what);
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

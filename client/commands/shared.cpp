// Functions shared by several commands.
#include <algorithm>
#include <set>

#include "client/commands/commands.hpp"
#include "client/commands/waiting.hpp"
#include "client/http/url.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

// More than any cluster has: a longer list is a mistake.
constexpr std::size_t names_max = 10'000;

}  // namespace

core::Result<int> run_at_server(RunAtServer run, Session& session, const Words& words) {
  const auto endpoint = words["--endpoint"];
  const auto api = session.api(endpoint.empty() ? words["--cloud"] : endpoint);
  if (!api) return std::unexpected(api.error());
  return run(**api, words);
}

core::Result<int> exit_code(const core::Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return 0;
}

core::Result<int> print_rows(const core::Result<std::vector<LocalCopy::Row>>& rows,
                             std::vector<std::string> columns, const std::string& format) {
  if (!rows) return std::unexpected(rows.error());
  return print_local({.columns = std::move(columns), .rows = *rows}, format);
}

core::Result<Json> get_cluster(const Api& api, const std::string& cluster) {
  // An empty name would give the path of the list.
  if (cluster.empty())
    return core::refuse(core::ErrorCode::invalid_argument, "the cluster's name is empty",
                        "cluster");
  auto found = api.get("/nucleus/v1/cluster/" + encoded(cluster) + "/");
  if (!found && found.error().code == core::ErrorCode::not_found)
    return core::refuse(core::ErrorCode::not_found, "no such cluster: " + msg::shown(cluster));
  return found;
}

core::Result<void> check_members(const Json& cluster, const std::vector<std::string>& names) {
  std::set<std::string> members = {cluster["frontend"]["name"].text()};
  for (const auto& node : cluster["computes"].items()) members.insert(node["name"].text());
  for (const auto& name : names)
    if (!members.contains(name))
      return core::refuse(core::ErrorCode::not_found,
                          "cluster " + cluster["name"].text() + " has no node " + msg::shown(name));
  return {};
}

Json list_of(const std::vector<std::string>& names) {
  Json list = Json::list();
  for (const auto& name : names) list.add(name);
  return list;
}

std::vector<std::string> texts_of(const Json& list) {
  std::vector<std::string> texts;
  for (const auto& each : list.items()) texts.push_back(each.text());
  return texts;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

core::Result<std::vector<std::string>> names_in(const std::string& list) {
  auto names = core::hostlist::expand(list, names_max);
  if (!names)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "not a list of nodes: " + names.error().detail);
  std::erase_if(*names, [](const std::string& name) {
    return name.find_first_not_of(" \t") == std::string::npos;
  });
  if (names->empty())
    return core::refuse(core::ErrorCode::invalid_argument, "the list of nodes is empty", "nodes");
  return names;
}

core::Result<void> check_unfinished(const Json& computeset) {
  if (!end_progress(computeset).is_done) return {};
  return core::refuse(
      core::ErrorCode::wrong_state,
      "computeset " + computeset["id"].text() + " is " + computeset["state"].text() + " already");
}

core::Result<Json> get_active_sets(const Api& api) {
  return api.get(
      "/nucleus/v1/computeset/?state=created&state=submitted&state=running&state=ending");
}

}  // namespace nucleus::client

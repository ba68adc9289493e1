#include "client/views.hpp"

#include <algorithm>

#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

const std::vector<std::string> table_columns = {
    "name",    "state", "computeset", "allocation", "admin_state", "mac",    "ip",
    "cluster", "kind",  "type",       "cpus",       "RAM(M)",      "disk(G)"};
const std::vector<std::string> data_columns = {
    "name",    "state",  "kind",    "type",       "mac",        "ip",         "cpus",
    "cluster", "RAM(M)", "disk(G)", "computeset", "allocation", "admin_state"};

constexpr std::size_t concise_columns = 8;  // up to `cluster`
constexpr std::size_t status_columns = 5;

std::string macs_of(const Json& node) {
  std::string macs = text_at(node, "pub_mac");
  if (node.contains("interface") && node["interface"].is_array())
    for (const auto& card : node["interface"])
      macs += (macs.empty() ? "" : "\n") + text_at(card, "mac");
  return macs;
}

/// ID, or ID(state) where it does not run.
std::string set_of(const Json& node) {
  const std::string id = text_at(node, "active_computeset");
  const std::string state = text_at(node, "active_computeset_state");
  return id.empty() || state == "running" ? id : id + "(" + state + ")";
}

std::map<std::string, std::string> accounts_by_set(const Json& computesets) {
  std::map<std::string, std::string> accounts;
  for (const auto& set : computesets) accounts[text_at(set, "id")] = text_at(set, "account");
  return accounts;
}

using Cells = std::map<std::string, std::string>;

Cells cells_of(const Json& node, const std::string& cluster, bool is_frontend,
               const std::map<std::string, std::string>& accounts) {
  const auto account = accounts.find(text_at(node, "active_computeset"));
  return {{"name", text_at(node, "name")},
          {"state", text_at(node, "state")},
          {"kind", is_frontend ? "frontend" : "compute"},
          {"type", text_at(node, "type")},
          {"mac", macs_of(node)},
          {"ip", text_at(node, "pub_ip")},
          {"cpus", text_at(node, "cpus")},
          {"cluster", cluster},
          {"RAM(M)", text_at(node, "memory")},
          {"disk(G)", text_at(node, "disksize")},
          {"computeset", set_of(node)},
          {"allocation", account == accounts.end() ? "" : account->second},
          {"admin_state", text_at(node, is_frontend ? "frontend_state" : "compute_state")}};
}

}  // namespace

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return {};
  const auto& value = object[key];
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> compute_names(const Json& cluster) {
  std::vector<std::string> names;
  if (cluster.contains("computes"))
    for (const auto& compute : cluster["computes"]) names.push_back(text_at(compute, "name"));
  return names;
}

Listing list_view(const Json& clusters) {
  Listing listing{.columns = {"Name", "Project", "Count", "Nodes", "Frontend (Fe)", "State (Fe)",
                              "Type (Fe)", "allocations", "Description"}};
  for (const auto& cluster : clusters) {
    const auto names = compute_names(cluster);
    const Json frontend = cluster.value("frontend", Json::object());
    std::string allocations;
    for (const auto& allocation : cluster.value("allocations", Json::array()))
      allocations += (allocations.empty() ? "" : "\n") +
                     (allocation.is_string() ? allocation.get<std::string>() : std::string());
    listing.rows.push_back(
        {text_at(cluster, "name"), text_at(cluster, "project"), std::to_string(names.size()),
         core::hostlist::collect(names), text_at(frontend, "name"), text_at(frontend, "state"),
         text_at(frontend, "type"), allocations, text_at(cluster, "description")});
  }
  return listing;
}

core::Result<Listing> node_view(const Json& clusters, const Json& computesets, NodeColumns columns,
                                const std::string& sort_key) {
  Listing listing{.columns = columns == NodeColumns::all_data ? data_columns : table_columns};
  const auto accounts = accounts_by_set(computesets);
  std::vector<Cells> nodes;
  for (const auto& cluster : clusters) {
    const std::string name = text_at(cluster, "name");
    if (cluster.contains("frontend") && cluster["frontend"].is_object())
      nodes.push_back(cells_of(cluster["frontend"], name, true, accounts));
    if (cluster.contains("computes"))
      for (const auto& compute : cluster["computes"])
        nodes.push_back(cells_of(compute, name, false, accounts));
  }
  std::ranges::stable_sort(nodes, [](const Cells& a, const Cells& b) {
    return std::tie(a.at("cluster"), a.at("mac")) < std::tie(b.at("cluster"), b.at("mac"));
  });
  for (auto& node : nodes) {
    Row row;
    for (const auto& column : listing.columns) row.push_back(std::move(node.at(column)));
    listing.rows.push_back(std::move(row));
  }
  if (auto sorted = listing.sort_by(sort_key); !sorted) return std::unexpected(sorted.error());
  const std::size_t shown = columns == NodeColumns::concise  ? concise_columns
                            : columns == NodeColumns::status ? status_columns
                                                             : listing.columns.size();
  listing.columns.resize(shown);
  for (auto& row : listing.rows) row.resize(shown);
  return listing;
}

Listing computeset_view(const Json& computeset) {
  Listing listing{.columns = {"name", "state", "type", "mac", "cpus", "cluster", "host", "memory"}};
  for (const auto& node : computeset.value("computes", Json::array()))
    listing.rows.push_back({text_at(node, "name"), text_at(node, "state"), text_at(node, "type"),
                            macs_of(node), text_at(node, "cpus"), text_at(node, "cluster"),
                            text_at(node, "host"), text_at(node, "memory")});
  return listing;
}

Listing attribute_view(const Json& node) {
  Listing listing{.columns = {"Attribute", "Value"}};
  for (const auto& [key, value] : node.items())
    if (key != "interface") listing.rows.push_back({key, text_at(node, key.c_str())});
  listing.rows.push_back({"mac", macs_of(node)});
  return listing;
}

}  // namespace nucleus::client

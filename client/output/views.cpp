#include "client/output/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>

#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

namespace {

/// The columns of a node, in the order of the table.
struct Column {
  enum : std::size_t {
    name,
    state,
    computeset,
    allocation,
    admin_state,
    mac,
    ip,
    cluster,
    kind,
    type,
    cpus,
    ram,
    disk,
    count
  };
};
constexpr std::array<const char*, Column::count> column_names = {
    "name",    "state", "computeset", "allocation", "admin_state", "mac",    "ip",
    "cluster", "kind",  "type",       "cpus",       "RAM(M)",      "disk(G)"};
constexpr std::array<std::size_t, Column::count> data_order = {
    Column::name,       Column::state,      Column::kind,       Column::type, Column::mac,
    Column::ip,         Column::cpus,       Column::cluster,    Column::ram,  Column::disk,
    Column::computeset, Column::allocation, Column::admin_state};

constexpr std::size_t concise_columns = 8;  // up to `cluster`
constexpr std::size_t status_columns = 5;
constexpr std::int64_t hour_s = 3'600;

std::string macs_of(const Json& node) {
  std::string macs = node["pub_mac"].text();
  for (const auto& card : node["interface"].items())
    macs += (macs.empty() ? "" : "\n") + card["mac"].text();
  return macs;
}

/// ID, or ID(state) if it is not running.
std::string set_of(const Json& node) {
  const std::string& id = node["active_computeset"].text();
  const std::string& set_state = node["active_computeset_state"].text();
  return id.empty() || set_state == "running" ? id : id + "(" + set_state + ")";
}

using Accounts = std::map<std::string, std::string, std::less<>>;

Row cells_of(const Json& node, const std::string& cluster, bool is_frontend,
             const Accounts& accounts) {
  const auto account = accounts.find(node["active_computeset"].text());
  Row row(Column::count);
  row[Column::name] = node["name"].text();
  row[Column::state] = node["state"].text();
  row[Column::computeset] = set_of(node);
  if (account != accounts.end()) row[Column::allocation] = account->second;
  row[Column::admin_state] = node[is_frontend ? "frontend_state" : "compute_state"].text();
  row[Column::mac] = macs_of(node);
  row[Column::ip] = node["pub_ip"].text();
  row[Column::cluster] = cluster;
  row[Column::kind] = is_frontend ? "frontend" : "compute";
  row[Column::type] = node["type"].text();
  row[Column::cpus] = node["cpus"].text();
  row[Column::ram] = node["memory"].text();
  row[Column::disk] = node["disksize"].text();
  return row;
}

std::int64_t number_of(const Json& object, const char* key) {
  return object[key].number().value_or(0);
}

}  // namespace

std::vector<std::string> compute_names(const Json& cluster) {
  std::vector<std::string> names;
  for (const auto& compute : cluster["computes"].items()) names.push_back(compute["name"].text());
  return names;
}

Listing list_view(const Json& clusters) {
  Listing listing{.columns = {"Name", "Project", "Count", "Nodes", "Frontend (Fe)", "State (Fe)",
                              "Type (Fe)", "allocations", "Description"}};
  for (const auto& cluster : clusters.items()) {
    const auto names = compute_names(cluster);
    const Json& frontend = cluster["frontend"];
    std::string allocations;
    for (const auto& each : cluster["allocations"].items())
      allocations += (allocations.empty() ? "" : "\n") + each.text();
    listing.rows.push_back({cluster["name"].text(), cluster["project"].text(),
                            std::to_string(names.size()), core::hostlist::collect(names),
                            frontend["name"].text(), frontend["state"].text(),
                            frontend["type"].text(), allocations, cluster["description"].text()});
  }
  return listing;
}

core::Result<Listing> node_view(const Json& clusters, const Json& computesets, NodeColumns columns,
                                const std::string& sort_key) {
  Listing listing{.columns = {column_names.begin(), column_names.end()}};
  Accounts accounts;
  for (const auto& set : computesets.items())
    accounts.emplace(set["id"].text(), set["account"].text());
  for (const auto& cluster : clusters.items()) {
    const std::string& cluster_name = cluster["name"].text();
    if (cluster["frontend"].is_object())
      listing.rows.push_back(cells_of(cluster["frontend"], cluster_name, true, accounts));
    for (const auto& compute : cluster["computes"].items())
      listing.rows.push_back(cells_of(compute, cluster_name, false, accounts));
  }
  std::ranges::stable_sort(listing.rows, [](const Row& a, const Row& b) {
    return a[Column::cluster] < b[Column::cluster];  // its nodes stay in the order of their index
  });
  if (auto sorted = listing.sort_by(sort_key); !sorted) return std::unexpected(sorted.error());
  if (columns == NodeColumns::all_data) {
    for (std::size_t i = 0; i < Column::count; ++i)
      listing.columns[i] = column_names[data_order[i]];
    for (auto& row : listing.rows) {
      Row ordered(Column::count);
      for (std::size_t i = 0; i < Column::count; ++i) ordered[i] = std::move(row[data_order[i]]);
      row = std::move(ordered);
    }
  }
  const std::size_t shown = columns == NodeColumns::concise  ? concise_columns
                            : columns == NodeColumns::status ? status_columns
                                                             : listing.columns.size();
  listing.columns.resize(shown);
  for (auto& row : listing.rows) row.resize(shown);
  return listing;
}

std::string cluster_heads(const Json& clusters) {
  std::string text;
  for (const auto& cluster : clusters.items()) {
    const Json& frontend = cluster["frontend"];
    text += "Cluster: " + cluster["name"].text() + "\tFrontend: " + frontend["name"].text() +
            "\tIP: " + frontend["pub_ip"].text() + "\n";
  }
  return text;
}

bool has_active_set(const Json& clusters) {
  const auto is_in_set = [](const Json& node) { return !node["active_computeset"].text().empty(); };
  return std::ranges::any_of(clusters.items(), [&](const Json& cluster) {
    return std::ranges::any_of(cluster["computes"].items(), is_in_set);
  });
}

Listing computeset_view(const Json& computeset_json) {
  Listing listing{.columns = {"name", "state", "type", "mac", "cpus", "cluster", "host", "memory"}};
  for (const auto& node : computeset_json["computes"].items())
    listing.rows.push_back({node["name"].text(), node["state"].text(), node["type"].text(),
                            macs_of(node), node["cpus"].text(), node["cluster"].text(),
                            node["host"].text(), node["memory"].text()});
  return listing;
}

Listing attribute_view(const Json& node) {
  Listing listing{.columns = {"Attribute", "Value"}};
  for (const auto& member : node.items()) {
    if (member.key() == "interface") continue;
    const bool is_whole = member.kind() == Json::Kind::list || member.is_object();
    listing.rows.push_back({member.key(), is_whole ? member.dumped() : member.text()});
  }
  std::ranges::sort(listing.rows);
  listing.rows.push_back({"mac", macs_of(node)});
  return listing;
}

std::string shown_core_hours(std::int64_t core_s) {
  return fmt::format("{:.2f}", static_cast<double>(core_s) / hour_s);
}

std::string shown_milli(std::int64_t milli) {
  return fmt::format("{:g}", static_cast<double>(milli) / 1000);
}

std::string shown_time(std::int64_t unix_s) {
  const std::time_t time = unix_s;
  std::tm parts{};
  localtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

Listing limit_view(const Json& allocations) {
  Listing listing{.columns = {"allocation", "project", "used", "limit", "left"}};
  for (const auto& each : allocations.items()) {
    const auto limit = number_of(each, "limit_core_s");
    const auto used = number_of(each, "used_core_s");
    const bool is_closed = each["is_closed"].text() == "true";
    listing.rows.push_back({each["allocation_id"].text(), each["project_id"].text(),
                            shown_core_hours(used),
                            is_closed ? "closed"
                            : limit   ? shown_core_hours(limit)
                                      : "none",
                            is_closed ? "0"
                            : limit   ? shown_core_hours(std::max<std::int64_t>(0, limit - used))
                                      : "none"});
  }
  return listing;
}

Listing reservation_view(const Json& reservations) {
  Listing listing{.columns = {"name", "state", "project", "start", "end", "hosts", "reason"}};
  for (const auto& each : reservations.items())
    listing.rows.push_back({each["name"].text(), each["state"].text(), each["project_id"].text(),
                            shown_time(number_of(each, "start_unix_s")),
                            shown_time(number_of(each, "end_unix_s")), each["hosts"].text(),
                            each["reason"].text()});
  return listing;
}

Listing recording_view(const Json& recordings) {
  constexpr std::int64_t ms_per_s = 1000;
  Listing listing{.columns = {"id", "cluster", "node", "begin", "seconds", "bytes", "state"}};
  for (const auto& each : recordings.items()) {
    const auto begin_ms = number_of(each, "begin_unix_ms");
    const auto end_ms = number_of(each, "end_unix_ms");
    std::string state = each["state"].text();
    if (const auto lost = number_of(each, "lost_bytes"); lost > 0)
      state += ", " + std::to_string(lost) + " bytes lost";
    if (each["is_end_inferred"].text() == "true") state += ", end inferred";
    listing.rows.push_back(
        {each["recording_id"].text(), each["cluster_id"].text(), each["node_name"].text(),
         shown_time(begin_ms / ms_per_s),
         end_ms == 0 ? "" : std::to_string((end_ms - begin_ms) / ms_per_s),
         std::to_string(number_of(each, "end_offset") - number_of(each, "begin_offset")), state});
  }
  return listing;
}

std::string shown_pkey(std::int64_t pkey) {
  return fmt::format("0x{:04x}", pkey);
}

Listing network_view(const Json& networks) {
  Listing listing{.columns = {"node", "network", "vlan", "address", "mac", "name server"}};
  for (const auto& network : networks.items()) {
    for (const auto& fabric : network["fabrics"].items())
      listing.rows.push_back({"(all)", "infiniband " + fabric["fabric"].text(),
                              "pkey " + shown_pkey(number_of(fabric, "pkey")), "", "", ""});
    for (const auto& leased : network["adapters"].items())
      listing.rows.push_back({leased["node_name"].text(),
                              "infiniband " + leased["adapter"]["fabric"].text(),
                              "pkey " + shown_pkey(number_of(leased, "pkey")), "",
                              leased["adapter"]["port_guid"].text(), ""});
    for (const auto& port : network["ports"].items())
      listing.rows.push_back(
          {port["node_name"].text(), network["is_public"].text() == "true" ? "public" : "private",
           network["vlan"].text(), port["ip"].text() + "/" + port["prefix_length"].text(),
           port["mac"].text(), port["name_server"].text()});
  }
  return listing;
}

Listing host_class_view(const Json& classes) {
  Listing listing{.columns = {"class", "hosts", "price of a core", "price of a GiB"}};
  for (const auto& each : classes.items()) {
    const auto& price = each["price"];
    listing.rows.push_back({each["name"].text(), each["host_count"].text(),
                            shown_milli(number_of(price, "core_milli_su")),
                            shown_milli(number_of(price, "gib_milli_su"))});
  }
  return listing;
}

Listing usage_view(const Json& entries) {
  Listing listing{.columns = {"computeset", "cluster", "project", "allocation", "nodes", "cores",
                              "start", "end", "person", "on behalf of", "core hours"}};
  std::int64_t sum = 0;
  for (const auto& each : entries.items()) {
    const auto end = number_of(each, "end_unix_s");
    sum += number_of(each, "used_core_s");
    listing.rows.push_back(
        {each["computeset_id"].text(), each["cluster_id"].text(), each["project_id"].text(),
         each["allocation_id"].text(), each["node_count"].text(), each["cores"].text(),
         shown_time(number_of(each, "start_unix_s")), end ? shown_time(end) : "running",
         each["person_id"].text(), each["on_behalf_of"].text(),
         shown_core_hours(number_of(each, "used_core_s"))});
  }
  listing.rows.push_back({"sum", "", "", "", "", "", "", "", "", "", shown_core_hours(sum)});
  return listing;
}

Listing usage_total_view(const Json& totals, const std::string& by) {
  Listing listing{.columns = {by, "computesets", "core hours"}};
  std::int64_t count = 0;
  std::int64_t sum = 0;
  for (const auto& each : totals.items()) {
    count += number_of(each, "computeset_count");
    sum += number_of(each, "used_core_s");
    listing.rows.push_back({each["name"].text(), each["computeset_count"].text(),
                            shown_core_hours(number_of(each, "used_core_s"))});
  }
  listing.rows.push_back({"sum", std::to_string(count), shown_core_hours(sum)});
  return listing;
}

}  // namespace nucleus::client

// limits, quota, usage, check and version.
#include <algorithm>
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"
#include "client/output/views.hpp"
#include "messages/text.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr const char* api_version = "2";
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t usage_days = 28;

core::Result<void> check_list(const Words& words) {
  if (words["VERB"] == "list") return {};
  return core::refuse(ErrorCode::invalid_argument,
                      std::string(words.command().name) + " has only the subcommand list");
}

/// The elements of an allocation or project; all if `tenant` is empty.
Json of_tenant(const Json& all, const std::string& tenant) {
  if (tenant.empty()) return all;
  Json found = Json::list();
  for (const auto& each : all.items())
    if (each["allocation_id"].text() == tenant || each["project_id"].text() == tenant)
      found.add(each);
  return found;
}

/// The start of a day in the local time zone, in Unix seconds.
core::Result<std::int64_t> begin_of_day(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%d", &parts);
  parts.tm_isdst = -1;
  const int day = parts.tm_mday;
  const std::time_t time = end && *end == '\0' ? std::mktime(&parts) : -1;
  if (time < 0 || parts.tm_mday != day)  // 2026-02-30 became 2026-03-02
    return core::refuse(ErrorCode::invalid_argument,
                        "a day must be written as 2026-11-01, not " + msg::shown(text));
  return time;
}

/// The address of the chosen usage.
core::Result<std::string> usage_path(const Words& words) {
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  core::Result<std::int64_t> from = now - usage_days * day_s;
  if (words.has("--start")) from = begin_of_day(words["--start"]);
  core::Result<std::int64_t> to = now + 1;
  if (words.has("--end")) {
    to = begin_of_day(words["--end"]);
    if (to) *to += day_s;
  }
  for (const auto* each : {&from, &to})
    if (!*each) return std::unexpected(each->error());
  if (*from >= *to)
    return core::refuse(ErrorCode::invalid_argument, "--start must be before --end", "start");
  auto path = "/v2/usage?limit=1000&from_unix_s=" + std::to_string(*from) +
              "&to_unix_s=" + std::to_string(*to);
  for (const auto& [option, field] :
       {std::pair{"--project", "project_id"}, std::pair{"--allocation", "allocation_id"},
        std::pair{"--person", "person_id"}, std::pair{"--cluster", "cluster_id"},
        std::pair{"--on-behalf-of", "on_behalf_of"}})
    if (words.has(option)) path += "&" + std::string(field) + "=" + encoded(words[option]);
  return path;
}

}  // namespace

core::Result<int> show_limits(const Api& api, const Words& words) {
  if (auto checked = check_list(words); !checked) return std::unexpected(checked.error());
  const auto all = api.get_all("/v2/allocations", "allocations");
  if (!all) return std::unexpected(all.error());
  const auto shown = of_tenant(*all, words["--tenant"]);
  return print(limit_view(shown), words["--format"], shown);
}

core::Result<int> show_quota(const Api& api, const Words& words) {
  if (auto checked = check_list(words); !checked) return std::unexpected(checked.error());
  const auto all = api.get_all("/v2/allocations", "allocations");
  if (!all) return std::unexpected(all.error());
  const auto shown = of_tenant(*all, words["--tenant"]);
  Listing listing = limit_view(shown);
  // Without the columns of the usage.
  const auto shorten = [](Row& row) { row = {row[0], row[1], row[3]}; };
  shorten(listing.columns);
  std::ranges::for_each(listing.rows, shorten);
  return print(listing, words["--format"], shown);
}

core::Result<int> show_usage(const Api& api, const Words& words) {
  if (auto checked = check_list(words); !checked) return std::unexpected(checked.error());
  const auto path = usage_path(words);
  if (!path) return std::unexpected(path.error());
  const auto tenant = words["--tenant"];
  auto by = words["--by"];
  const auto format = words["--format"];
  if (!tenant.empty() && (!by.empty() || format == "sacct"))
    return core::refuse(ErrorCode::invalid_argument,
                        "give --project or --allocation instead of --tenant", "tenant");
  if (!by.empty() && format == "sacct")
    return core::refuse(ErrorCode::invalid_argument, "--by cannot be given with --format=sacct");
  if (!by.empty()) {
    std::ranges::replace(by, '-', '_');
    const auto totals = api.get_all(*path + "&by=" + encoded(by), "totals");
    if (!totals) return std::unexpected(totals.error());
    return print(usage_total_view(*totals, words["--by"]), format, *totals);
  }
  if (format == "sacct") {
    const auto rows = api.get_all_text(*path + "&format=sacct");
    if (!rows) return std::unexpected(rows.error());
    std::cout << msg::printable(*rows);
    return 0;
  }
  const auto all = api.get_all(*path, "entries");
  if (!all) return std::unexpected(all.error());
  const auto shown = of_tenant(*all, tenant);
  return print(usage_view(shown), format, shown);
}

core::Result<int> check_endpoint(Session& session, const Words& words) {
  const auto endpoint = choose_endpoint(words["--cloud"]);
  if (!endpoint) return std::unexpected(endpoint.error());
  std::cout << "endpoint     " << (endpoint->name.empty() ? "environment" : endpoint->name) << " "
            << endpoint->url << "\n";
  const auto api = session.api(words["--cloud"]);
  if (!api) return std::unexpected(api.error());
  const auto user = (*api)->get("/nucleus/v1/user");
  if (!user) return std::unexpected(user.error());
  std::cout << "credential   accepted, of " << (*user)["username"].text() << "\n";
  return 0;
}

core::Result<int> show_version(Session& session, const Words& words) {
  if (!words.has("--check") && words["--format"] == "table") {
    std::cout << "cm " NUCLEUS_VERSION << "\n";
    return 0;
  }
  Listing listing{.columns = {"program", "version"}, .rows = {{"cm", NUCLEUS_VERSION}}};
  std::string server = api_version;
  if (words.has("--check")) {
    const auto api = session.api(words["--cloud"]);
    if (!api) return std::unexpected(api.error());
    const auto document = (*api)->get("/openapi.json");
    if (!document) return std::unexpected(document.error());
    server = (*document)["info"]["version"].text();
    listing.rows.push_back({"the server's API", server});
  }
  const auto printed = print(listing, words["--format"], {});
  if (printed && server != api_version)
    return core::refuse(ErrorCode::wrong_state,
                        "the server speaks API version " + server + ", cm speaks " + api_version);
  return printed;
}

}  // namespace nucleus::client

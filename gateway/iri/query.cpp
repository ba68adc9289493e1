#include "gateway/iri/query.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "gateway/json/numbers.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::size_t window_entries_max = 1'000;
constexpr std::size_t offset_max = 1'000'000'000;

const std::map<std::string_view, std::vector<std::string_view>> values_of_filters = {
    {"status", {"up", "down", "degraded", "unknown"}},
    {"current_status", {"up", "down", "degraded", "unknown"}},
    {"type", {"planned", "unplanned", "reservation"}},
    {"resolution", {"unresolved", "cancelled", "completed", "extended", "pending"}},
    {"resource_type", {"website", "service", "compute", "system", "storage", "network", "unknown"}},
    {"capability", {"node_hours", "bytes", "inodes"}},
};

core::Result<void> read_parameter(IriQuery& query, const std::string& name,
                                  const std::string& value) {
  const auto refuse = [&](const std::string& what) {
    return core::refuse(core::ErrorCode::invalid_argument, name + " must be " + what, name);
  };
  if (name == "offset" || name == "limit") {
    const auto most = name == "limit" ? window_entries_max : offset_max;
    const auto number = whole_number<std::size_t>(value);
    if (!number || *number > most) return refuse("0 to " + std::to_string(most));
    (name == "limit" ? query.limit : query.offset) = *number;
    return {};
  }
  if (name == "modified_since" || name == "from" || name == "to" || name == "time") {
    const auto unix_s = unix_s_of(value);
    if (!unix_s) return refuse("a time of ISO 8601, as 2026-02-21T12:00:00Z");
    query.unix_s[name] = *unix_s;
    return {};
  }
  if (name == "historical" || name == "include_spec") {
    if (value != "true" && value != "false") return refuse("true or false");
    query.flags[name] = value == "true";
    return {};
  }
  if (value.empty()) return refuse("a text");
  if (const auto known = values_of_filters.find(name);
      known != values_of_filters.end() &&
      std::ranges::find(known->second, value) == known->second.end())
    return refuse(fmt::format("one of {}", fmt::join(known->second, ", ")));
  query.filters[name] = value;
  return {};
}

}  // namespace

std::string iso_time(std::int64_t unix_s) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_s)));
}

std::optional<std::int64_t> unix_s_of(const std::string& iso_time) {
  std::tm parts{};
  const char* end = strptime(iso_time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!end) return std::nullopt;
  if (*end == '.') {
    const char* digits = end + 1;
    for (end = digits; *end >= '0' && *end <= '9';) ++end;
    if (end == digits) return std::nullopt;
  }
  // glibc reads `Z`, +HH, +HHMM and +HH:MM; ISO 8601 allows neither a blank nor a name there.
  if (*end != 'Z' && *end != '+' && *end != '-') return std::nullopt;
  std::tm zone{};
  const char* rest = strptime(end, "%z", &zone);
  if (!rest || *rest != '\0') return std::nullopt;
  const int day = parts.tm_mday;
  const auto unix_s = timegm(&parts);
  if (parts.tm_mday != day) return std::nullopt;  // there is no 30th of February
  return unix_s - zone.tm_gmtoff;
}

std::string IriQuery::take(const std::string& name) {
  auto node = filters.extract(name);
  return node ? std::move(node.mapped()) : std::string();
}

core::Result<IriQuery> read_iri_query(const core::http::Request& request,
                                      std::initializer_list<std::string_view> names) {
  IriQuery query;
  for (const auto& [name, value] : request.query) {
    const auto refuse = [&](const char* why) {
      return core::refuse(core::ErrorCode::invalid_argument,
                          "the query parameter " + msg::shown(name) + why, msg::shown(name));
    };
    if (std::ranges::find(names, name) == names.end()) return refuse(" is unknown");
    if (request.query.count(name) > 1) return refuse(" is given twice");
    if (const auto read = read_parameter(query, name, value); !read)
      return std::unexpected(read.error());
  }
  return query;
}

bool fits(const IriQuery& query, const Json& entry) {
  for (const auto& [name, value] : query.filters) {
    const auto found = entry.find(name);
    if (found == entry.end() || !found->is_string()) return false;
    const auto& text = found->get_ref<const std::string&>();
    if (name == "description" ? !text.contains(value) : text != value) return false;
  }
  const auto since = query.unix_s.find("modified_since");
  return since == query.unix_s.end() ||
         unix_s_of(entry.value("last_modified", "")).value_or(0) >= since->second;
}

void reply_window(const ExchangePtr& exchange, const IriQuery& query, Json entries) {
  Json window = Json::array();
  std::size_t left = query.offset;
  for (auto& entry : entries) {
    if (window.size() == query.limit) break;
    if (!fits(query, entry)) continue;
    if (left > 0)
      --left;
    else
      window.push_back(std::move(entry));
  }
  exchange->reply(200, window);
}

void reply_entry(const ExchangePtr& exchange, const std::string& id, const Json& entries) {
  const auto found =
      std::ranges::find_if(entries, [&](const Json& entry) { return entry.at("id") == id; });
  if (found == entries.end())
    return exchange->refuse(core::ErrorCode::not_found, "no entry of this id");
  exchange->reply(200, *found);
}

}  // namespace nucleus::gateway

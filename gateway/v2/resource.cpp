#include "gateway/v2/resource.hpp"

#include <algorithm>

#include "gateway/json/numbers.hpp"
#include "gateway/routing/lookups.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::uint64_t limit_max = 1'000;

/// The fields that were asked for; all where none were.
Json chosen(const Exchange& exchange, Json resource) {
  const std::string said = exchange.request.asked("fields");
  if (said.empty()) return resource;
  Json some = Json::object();
  std::size_t begin = 0;
  while (begin <= said.size()) {
    const auto end = std::min(said.find(',', begin), said.size());
    const std::string field = said.substr(begin, end - begin);
    if (resource.contains(field)) some[field] = std::move(resource[field]);
    begin = end + 1;
  }
  return some;
}

/// Keys of a collection are all text or all numbers.
bool comes_after(const Json& key, const std::string& after) {
  if (key.is_string()) return key.get_ref<const std::string&>() > after;
  const auto number = whole_number<std::uint64_t>(after);
  return number && key.get<std::uint64_t>() > *number;
}

}  // namespace

core::Result<Json> read_body(const Exchange& exchange,
                             std::initializer_list<std::string_view> fields) {
  if (exchange.request.body.empty()) return Json::object();
  auto body = parse_object(exchange.request.body);
  if (!body) return body;
  for (const auto& [name, value] : body->items()) {
    if (std::ranges::find(fields, name) == fields.end())
      return core::refuse(ErrorCode::invalid_argument, "there is no field " + msg::shown(name),
                          msg::shown(name));
    if (value.is_null())
      return core::refuse(ErrorCode::invalid_argument, name + " is null: leave it out", name);
  }
  return body;
}

core::Error body_fault(const std::string& told) {
  return {
      .code = ErrorCode::invalid_argument, .detail = told, .field = told.substr(0, told.find(':'))};
}

core::Result<std::uint64_t> if_match(const Exchange& exchange) {
  const std::string said = exchange.request.header("If-Match");
  if (said.empty() || said == "*") return 0;
  if (said.size() > 2 && said.front() == '"' && said.back() == '"')
    if (const auto revision = whole_number<std::uint64_t>(said.substr(1, said.size() - 2));
        revision && *revision > 0)
      return *revision;
  return core::refuse(ErrorCode::conflict, "no such revision was ever told", "If-Match");
}

void reply_one(const ExchangePtr& exchange, int status, const Json& resource,
               std::uint64_t revision, Headers headers) {
  if (revision > 0) headers["ETag"] = "\"" + std::to_string(revision) + "\"";
  exchange->reply(status, chosen(*exchange, resource), std::move(headers));
}

void reply_page(const ExchangePtr& exchange, Collection collection) {
  const std::string said = exchange->request.asked("limit");
  const auto limit = said.empty() ? std::optional{limit_max} : whole_number<std::uint64_t>(said);
  if (!limit || *limit < 1 || *limit > limit_max)
    return exchange->refuse(ErrorCode::invalid_argument, "limit must be 1 to 1000", "limit");
  const char* key = collection.key;
  std::sort(collection.items.begin(), collection.items.end(),
            [key](const Json& a, const Json& b) { return a.at(key) < b.at(key); });
  const std::string after = exchange->request.asked("after");
  Json page{{collection.name, Json::array()}};
  auto& shown = page[collection.name];
  Json last;
  for (auto& item : collection.items) {
    if (!after.empty() && !comes_after(item.at(key), after)) continue;
    if (shown.size() == *limit) {
      collection.is_more = true;
      break;
    }
    last = item.at(key);
    shown.push_back(chosen(*exchange, std::move(item)));
  }
  if (collection.is_more && !last.is_null())
    page["next"] = last.is_string() ? last.get<std::string>() : last.dump();
  exchange->reply(200, page);
}

Handler watchable(EventStreams& streams, std::set<std::string> types, Handler list) {
  return [&streams, types = std::move(types), list = std::move(list)](const ExchangePtr& exchange) {
    if (!exchange->request.query.contains("watch")) return list(exchange);
    if (!exchange->path.contains("cluster")) return streams.open(exchange, {.types = types});
    with_cluster(exchange, [&streams, types, exchange](const msg::ClusterWithNodes& cluster) {
      streams.open(exchange, {.types = types, .cluster = cluster.cluster.cluster_id.value});
    });
  };
}

core::Result<std::string> read_action(const Exchange& exchange) {
  const auto body = read_body(exchange, {"action"});
  if (!body) return std::unexpected(body.error());
  const auto action = body->find("action");
  if (action != body->end() && action->is_string()) {
    const std::string said = *action;
    if (said == "on" || said == "off") return "power" + said;
    if (said == "shutdown" || said == "reboot" || said == "reset") return said;
  }
  return core::refuse(ErrorCode::invalid_argument,
                      "action must be on, off, shutdown, reboot or reset", "action");
}

}  // namespace nucleus::gateway

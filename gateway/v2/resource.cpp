#include "gateway/v2/resource.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "core/digest/digest.hpp"
#include "core/text/utf8.hpp"
#include "gateway/json/numbers.hpp"
#include "gateway/routing/lookups.hpp"
#include "messages/text.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// The names in `?fields=`; none = all fields.
std::vector<std::string> chosen_fields(const Exchange& exchange) {
  std::vector<std::string> names;
  std::istringstream text(exchange.request.query_value("fields"));
  for (std::string name; std::getline(text, name, ',');) names.push_back(std::move(name));
  return names;
}

Json choose(Json resource, const std::vector<std::string>& names) {
  if (names.empty()) return resource;
  Json chosen = Json::object();
  for (const auto& name : names)
    if (resource.contains(name)) chosen[name] = std::move(resource[name]);
  return chosen;
}

void refuse_field(const ExchangePtr& exchange, const std::string& name) {
  exchange->refuse(ErrorCode::invalid_argument, "there is no field " + msg::shown(name), "fields");
}

/// Answers a GET with an ETag of its content: `"REVISION.HASH"`, or `"HASH"` without a revision.
void reply_content(const ExchangePtr& exchange, std::string text, std::uint64_t revision,
                   core::http::Headers headers, const char* type = "application/json") {
  const std::string prefix = revision > 0 ? std::to_string(revision) + "." : "";
  const auto cached = headers.find("Cache-Control");
  // Otherwise it contains a secret.
  if (cached == headers.end() || cached->second == changes_unannounced)
    headers["ETag"] = "\"" + prefix + core::sha256_hex(text).substr(0, 16) + "\"";
  exchange->reply_text(200, std::move(text), type, std::move(headers));
}

std::string encoded(const std::string& text) {
  std::string safe;
  for (const char c : text)
    if (msg::is_name_character(c) || c == '~')
      safe += c;
    else
      safe += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return safe;
}

/// The URL of this request with another cursor.
std::string next_url(const Exchange& exchange, const std::string& next) {
  std::string url = exchange.base_url + exchange.request.path + "?";
  for (const auto& [name, value] : exchange.request.query)
    if (name != "after") url += encoded(name) + "=" + encoded(value) + "&";
  return url + "after=" + encoded(next);
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

bool sets(const Exchange& exchange, std::string_view field) {
  const auto body = parse_object(exchange.request.body);
  return body && body->contains(field);
}

core::Error body_error(const std::string& reason) {
  return {.code = ErrorCode::invalid_argument,
          .detail = reason,
          .field = reason.substr(0, reason.find(':'))};
}

core::Result<std::uint64_t> if_match(const Exchange& exchange) {
  const std::string etag = exchange.request.header("If-Match");
  if (etag.empty() || etag == "*") return 0;
  if (etag.size() > 2 && etag.front() == '"' && etag.back() == '"')
    if (const auto revision =
            whole_number<std::uint64_t>(etag.substr(1, etag.find_first_of(".\"", 1) - 1));
        revision && *revision > 0)
      return *revision;
  return core::refuse(ErrorCode::conflict, "If-Match is not an ETag of this resource", "If-Match");
}

void reply_one(const ExchangePtr& exchange, int status, const Json& resource,
               std::uint64_t revision, core::http::Headers headers) {
  const auto fields = chosen_fields(*exchange);
  if (exchange->request.method == "GET") {
    for (const auto& name : fields)
      if (!resource.contains(name)) return refuse_field(exchange, name);
    return reply_content(exchange, text_of(choose(resource, fields)), revision, std::move(headers));
  }
  if (revision > 0) headers["ETag"] = "\"" + std::to_string(revision) + "\"";
  exchange->reply(status, choose(resource, fields), std::move(headers));
}

core::Result<std::int64_t> read_number(const Exchange& exchange, const std::string& name) {
  if (!exchange.request.query.contains(name)) return 0;
  const auto number = whole_number<std::int64_t>(exchange.request.query_value(name));
  if (number && *number >= 0) return *number;
  return std::unexpected(msg::invalid(name, name + " must be a whole number"));
}

core::Result<std::string> read_filter(const Exchange& exchange, const std::string& name) {
  if (!exchange.request.query.contains(name)) return {};
  auto value = exchange.request.query_value(name);
  if (value.empty()) return std::unexpected(msg::invalid(name, name + " is empty"));
  if (auto broken = msg::check_name(name, value)) return std::unexpected(*broken);
  return value;
}

core::Result<bool> read_flag(const Exchange& exchange, const std::string& name) {
  if (!exchange.request.query.contains(name)) return false;
  const auto value = exchange.request.query_value(name);
  if (value == "true" || value == "false") return value == "true";
  return std::unexpected(msg::invalid(name, name + " must be true or false"));
}

core::Result<msg::Page> read_page(const Exchange& exchange) {
  msg::Page page{.after = exchange.request.query_value("after")};
  if (exchange.request.query.contains("limit")) {
    const auto limit = whole_number<std::uint32_t>(exchange.request.query_value("limit"));
    if (!limit || *limit < 1 || *limit > msg::page_entries_max)
      return std::unexpected(msg::invalid("limit", "limit must be 1 to 1000"));
    page.limit = *limit;
  }
  if (auto broken = msg::check(page)) return std::unexpected(*broken);
  if (msg::check_line("after", page.after, page.after.size()) || !core::utf8_length(page.after))
    return std::unexpected(msg::invalid("after", "after is not a cursor of this list"));
  return page;
}

std::vector<std::string> field_names(std::initializer_list<const msg::Type*> types) {
  std::vector<std::string> names;
  for (const auto* type : types)
    for (const auto& field : type->fields()) names.emplace_back(field.name);
  return names;
}

void reply_list(const ExchangePtr& exchange, ListPage page) {
  const auto fields = chosen_fields(*exchange);
  for (const auto& name : fields)
    if (std::ranges::find(page.fields, name) == page.fields.end())
      return refuse_field(exchange, name);
  core::http::Headers headers = std::move(page.headers);
  if (!page.next.empty())
    headers["Link"] = "<" + next_url(*exchange, page.next) + ">; rel=\"next\"";
  if (page.write)
    return reply_content(exchange, page.write(page.entries, fields.empty() ? page.fields : fields),
                         0, std::move(headers), page.type);
  if (!fields.empty())
    for (auto& entry : page.entries) entry = choose(std::move(entry), fields);
  Json body{{page.name, std::move(page.entries)}};
  if (!page.next.empty()) body["next"] = std::move(page.next);
  reply_content(exchange, text_of(body), 0, std::move(headers));
}

Handler watchable(EventStreams& streams, std::set<std::string> types, Handler list) {
  return [&streams, types = std::move(types), list = std::move(list)](const ExchangePtr& exchange) {
    auto watches = read_flag(*exchange, "watch");
    const bool is_bare = !watches && exchange->request.query_value("watch").empty();
    if (!watches && !is_bare) return exchange->refuse(watches.error());
    if (!is_bare && !*watches) return list(exchange);
    if (!exchange->path.contains("cluster")) return streams.open(exchange, {.types = types});
    with_cluster(exchange, [&streams, types, exchange](const msg::Cluster& cluster) {
      streams.open(exchange, {.types = types, .cluster = cluster.cluster_id.value});
    });
  };
}

core::Result<bool> wants_plan(const Exchange& exchange) {
  if (exchange.request.query.contains("plan")) return read_flag(exchange, "plan");
  if (exchange.request.body.empty()) return false;
  const auto body = Json::parse(exchange.request.body, nullptr, false);
  const auto plan = body.find("plan");
  if (plan == body.end()) return false;
  if (!plan->is_boolean())
    return std::unexpected(msg::invalid("plan", "plan must be true or false"));
  return plan->get<bool>();
}

void reply_plan(const ExchangePtr& exchange, msg::PlanChange request) {
  request.viewer = msg::viewer_of(exchange->who);
  exchange->ask(request, [exchange](const msg::ChangePlan& plan) {
    reply_one(exchange, 200, json_of(plan));
  });
}

core::Result<std::string> read_action(const Exchange& exchange,
                                      std::initializer_list<std::string_view> fields) {
  const auto body = read_body(exchange, fields);
  if (!body) return std::unexpected(body.error());
  const auto action = body->find("action");
  if (action != body->end() && action->is_string()) {
    const std::string name = *action;
    if (name == "on" || name == "off") return "power" + name;
    if (name == "shutdown" || name == "reboot" || name == "reset") return name;
  }
  return core::refuse(ErrorCode::invalid_argument,
                      "action must be on, off, shutdown, reboot or reset", "action");
}

}  // namespace nucleus::gateway

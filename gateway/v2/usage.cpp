// v2: usage: what computesets were charged, and its sums.
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "gateway/v2/usage_text.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

core::Result<msg::ListUsage> read_usage(const Exchange& exchange) {
  const auto page = read_page(exchange);
  if (!page) return std::unexpected(page.error());
  const auto& given = exchange.request;
  msg::ListUsage request{.viewer = msg::viewer_of(exchange.who),
                         .allocation_id = {given.query_value("allocation_id")},
                         .page = *page,
                         .project_id = {given.query_value("project_id")},
                         .cluster_id = {given.query_value("cluster_id")},
                         .person_id = {given.query_value("person_id")},
                         .on_behalf_of = given.query_value("on_behalf_of")};
  for (const auto& [name, time] : {std::pair{"from_unix_s", &request.from_unix_s},
                                   std::pair{"to_unix_s", &request.to_unix_s}}) {
    const auto number = read_number(exchange, name);
    if (!number) return std::unexpected(number.error());
    *time = *number;
  }
  return request;
}

/// As `?format=` says, else as Accept does.
core::Result<std::string> read_format(const Exchange& exchange) {
  if (!exchange.request.query.contains("format"))
    return exchange.request.header("Accept").starts_with("text/csv") ? "csv" : "json";
  auto format = exchange.request.query_value("format");
  const bool is_known = format == "json" || format == "csv" || format == "sacct";
  if (!is_known)
    return core::refuse(ErrorCode::invalid_argument, "format must be json, csv or sacct", "format");
  for (const char* other : {"fields", "by"})
    if (format == "sacct" && exchange.request.query.contains(other))
      return core::refuse(ErrorCode::invalid_argument,
                          std::string(other) + " cannot be given with format sacct", other);
  return format;
}

/// Sets how the page is written. Pages may be joined: only the first one has a header.
void set_format(ListPage& page, const std::string& format, bool is_first) {
  if (format != "csv") return;
  page.type = "text/csv; charset=utf-8";
  page.write = [is_first](const Json& entries, const std::vector<std::string>& fields) {
    return (is_first ? csv_line(fields) : "") + csv_lines(entries, fields);
  };
}

void reply_sacct(const ExchangePtr& exchange, const msg::Usage& found, bool is_first) {
  std::string text = is_first ? sacct_header() : "";
  for (const auto& entry : found.entries) text += sacct_line(entry);
  reply_list(exchange, {.name = "entries",
                        .next = found.next,
                        .write = [&text](const Json&, const auto&) { return std::move(text); },
                        .type = "text/plain; charset=utf-8"});
}

void sum_usage(const ExchangePtr& exchange, const msg::ListUsage& usage,
               const std::string& format) {
  const msg::SumUsage request{
      .usage = usage, .by = msg::enum_of<msg::UsageGroup>(exchange->request.query_value("by"))};
  if (auto broken = msg::check(request)) return exchange->refuse(*broken);
  const bool is_first = usage.page.after.empty();
  exchange->ask(request, [exchange, format, is_first](const msg::UsageTotals& found) {
    ListPage page{.name = "totals",
                  .entries = json_of(found.totals),
                  .next = found.next,
                  .fields = field_names({&msg::type_of<msg::UsageTotal>})};
    set_format(page, format, is_first);
    reply_list(exchange, std::move(page));
  });
}

void list_usage(const ExchangePtr& exchange) {
  const auto usage = read_usage(*exchange);
  if (!usage) return exchange->refuse(usage.error());
  const auto format = read_format(*exchange);
  if (!format) return exchange->refuse(format.error());
  if (exchange->request.query.contains("by")) return sum_usage(exchange, *usage, *format);
  const bool is_first = usage->page.after.empty();
  exchange->ask(*usage, [exchange, format = *format, is_first](const msg::Usage& found) {
    if (format == "sacct") return reply_sacct(exchange, found, is_first);
    ListPage page{.name = "entries",
                  .entries = json_of(found.entries),
                  .next = found.next,
                  .fields = field_names({&msg::type_of<msg::UsageEntry>})};
    set_format(page, format, is_first);
    reply_list(exchange, std::move(page));
  });
}

}  // namespace

void add_v2_usage_routes(Router& router) {
  router.add("GET", "/v2/usage", msg::Right::read, list_usage);
}

}  // namespace nucleus::gateway

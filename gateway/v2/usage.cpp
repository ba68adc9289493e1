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
                         .page = *page,
                         .on_behalf_of = given.query_value("on_behalf_of")};
  for (const auto& [name, value] : {std::pair{"allocation_id", &request.allocation_id.value},
                                    std::pair{"project_id", &request.project_id.value},
                                    std::pair{"cluster_id", &request.cluster_id.value},
                                    std::pair{"person_id", &request.person_id.value}}) {
    auto filter = read_filter(exchange, name);
    if (!filter) return std::unexpected(filter.error());
    *value = std::move(*filter);
  }
  if (given.query.contains("on_behalf_of") && request.on_behalf_of.empty())
    return std::unexpected(msg::invalid("on_behalf_of", "on_behalf_of is empty"));
  if (auto broken = msg::check_line("on_behalf_of", request.on_behalf_of, 64))
    return std::unexpected(*broken);
  for (const auto& [name, time] : {std::pair{"from_unix_s", &request.from_unix_s},
                                   std::pair{"to_unix_s", &request.to_unix_s}}) {
    const auto number = read_number(exchange, name);
    if (!number) return std::unexpected(number.error());
    *time = *number;
  }
  return request;
}

/// How a page is written.
struct Form {
  std::string format = {};  // json, csv or sacct
  bool is_first = false;    // of the pages of a list
};

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

/// Replies with a page as JSON or CSV. Pages may be joined: only the first one has a header.
template <class Entry>
void reply_page(const ExchangePtr& exchange, const char* name, const std::vector<Entry>& entries,
                const std::string& next, const Form& form) {
  ListPage page{.name = name,
                .entries = json_of(entries),
                .next = next,
                .fields = field_names({&msg::type_of<Entry>})};
  if (form.format == "csv") {
    page.type = "text/csv; charset=utf-8";
    page.write = [is_first = form.is_first](const Json& rows,
                                            const std::vector<std::string>& fields) {
      return (is_first ? csv_line(fields) : "") + csv_lines(rows, fields);
    };
  }
  reply_list(exchange, std::move(page));
}

void reply_sacct(const ExchangePtr& exchange, const msg::Usage& found, bool is_first) {
  std::string text = is_first ? sacct_header() : "";
  for (const auto& entry : found.entries) text += sacct_line(entry);
  reply_list(exchange, {.name = "entries",
                        .next = found.next,
                        .write = [&text](const Json&, const auto&) { return std::move(text); },
                        .type = "text/plain; charset=utf-8"});
}

void sum_usage(const ExchangePtr& exchange, const msg::ListUsage& usage, const Form& form) {
  const msg::SumUsage request{
      .usage = usage, .by = msg::enum_of<msg::UsageGroup>(exchange->request.query_value("by"))};
  if (auto broken = msg::check(request)) return exchange->refuse(*broken);
  exchange->ask(request, [exchange, form](const msg::UsageTotals& found) {
    reply_page(exchange, "totals", found.totals, found.next, form);
  });
}

void list_usage(const ExchangePtr& exchange) {
  const auto usage = read_usage(*exchange);
  if (!usage) return exchange->refuse(usage.error());
  const auto format = read_format(*exchange);
  if (!format) return exchange->refuse(format.error());
  const Form form{.format = *format, .is_first = usage->page.after.empty()};
  if (exchange->request.query.contains("by")) return sum_usage(exchange, *usage, form);
  exchange->ask(*usage, [exchange, form](const msg::Usage& found) {
    if (form.format == "sacct") return reply_sacct(exchange, found, form.is_first);
    reply_page(exchange, "entries", found.entries, found.next, form);
  });
}

}  // namespace

void add_v2_usage_routes(Router& router) {
  router.add("GET", "/v2/usage", msg::Right::read, list_usage)
      .takes_page()
      .takes({"allocation_id", "by", "cluster_id", "format", "from_unix_s", "on_behalf_of",
              "person_id", "project_id", "to_unix_s"});
}

}  // namespace nucleus::gateway

// What the resources of v2 share: bodies that are messages, pages, chosen fields, ETags, watching.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/events/event_streams.hpp"
#include "gateway/routing/exchange.hpp"
#include "messages/plans.hpp"

namespace nucleus::gateway {

/// The request's body: a JSON object that has no other fields than these. An empty body is an empty
/// object.
core::Result<Json> read_body(const Exchange& exchange,
                             std::initializer_list<std::string_view> fields);
/// True if the body sets the field: for messages in which its default has a meaning of its own.
bool sets(const Exchange& exchange, std::string_view field);
/// The error for a body that the message's decoder refuses with `reason`, which names the field.
core::Error body_error(const std::string& reason);

/// The body as a message, of which a client may set `fields`.
template <class Message>
core::Result<Message> body_as(const Exchange& exchange,
                              std::initializer_list<std::string_view> fields) {
  const auto body = read_body(exchange, fields);
  if (!body) return std::unexpected(body.error());
  const auto packed = Json::to_msgpack(*body);
  try {
    return msg::decode<Message>(std::string(packed.begin(), packed.end()));
  } catch (const msg::DecodeError& error) {
    return std::unexpected(body_error(error.what()));
  }
}

/// The revision of If-Match; 0 = any. `conflict` for an ETag that no resource has.
core::Result<std::uint64_t> if_match(const Exchange& exchange);

/// The change, limited to the revision of If-Match.
template <class Change>
core::Result<Change> if_match(const Exchange& exchange, core::Result<Change> change) {
  if (!change) return change;
  const auto revision = if_match(exchange);
  if (!revision) return std::unexpected(revision.error());
  change->if_revision = *revision;
  return change;
}

/// Cache-Control of an answer that no event announces a change of: the gateway does not cache it.
inline constexpr std::string_view changes_unannounced = "no-cache";

/// Answers with one resource, or the fields of it that `?fields=` names. A GET has an ETag of its
/// content, a change that of its revision; If-Match compares the revision alone.
void reply_one(const ExchangePtr& exchange, int status, const Json& resource,
               std::uint64_t revision = 0, core::http::Headers headers = {});

/// Makes the change as the caller, and answers with the resource as it is now.
template <class Change>
void apply_change(const ExchangePtr& exchange, Change change) {
  change.viewer = msg::viewer_of(exchange->who);
  exchange->ask(change, [exchange](const typename Change::Reply& changed) {
    reply_one(exchange, 200, json_of(changed), changed.revision);
  });
}

/// The page that `?limit=` (1..1000) and `?after=` ask for.
core::Result<msg::Page> read_page(const Exchange& exchange);

/// The name that a query parameter compares with; empty if it is not given. An empty one is
/// refused: it would select everything. So are those that nothing can have.
core::Result<std::string> read_filter(const Exchange& exchange, const std::string& name);

/// A query parameter that is `true` or `false`; false if it is not given.
core::Result<bool> read_flag(const Exchange& exchange, const std::string& name);

/// The whole number of a query parameter, at least 0; 0 if it is not given.
core::Result<std::int64_t> read_number(const Exchange& exchange, const std::string& name);

/// Writes the entries of a page as text, with these fields.
using WritePage =
    std::function<std::string(const Json& entries, const std::vector<std::string>& fields)>;

/// A page of a collection: the entries of a service's reply and its cursor.
struct ListPage {
  const char* name;  // of the JSON field that holds the entries
  Json entries = Json::array();
  std::string next = {};                 // cursor of the next page; empty = the last
  std::vector<std::string> fields = {};  // that an entry may have
  WritePage write = {};                  // as `type`, instead of JSON
  const char* type = "application/json";
  core::http::Headers headers = {};
};
/// The fields of an entry that is made of these messages.
std::vector<std::string> field_names(std::initializer_list<const msg::Type*> types);
/// Answers `{"NAME": […], "next": CURSOR}`, with a `Link: <URL>; rel="next"` if there is another.
void reply_list(const ExchangePtr& exchange, ListPage page);
template <class Entry>
void reply_list(const ExchangePtr& exchange, const char* name, const std::vector<Entry>& entries,
                const std::string& next) {
  reply_list(exchange, {.name = name,
                        .entries = json_of(entries),
                        .next = next,
                        .fields = field_names({&msg::type_of<Entry>})});
}

/// Answers with `list`, or for `?watch` or `?watch=true` with a stream of events of these types; of
/// the path's cluster only, if it names one that the caller sees.
Handler watchable(EventStreams& streams, std::set<std::string> types, Handler list);
template <class... Events>
Handler watchable(EventStreams& streams, Handler list) {
  return watchable(streams, {std::string(Events::topic)...}, std::move(list));
}

/// Whether only the plan of a change is asked for: `plan` in the body, or in the query of a request
/// without a body.
core::Result<bool> wants_plan(const Exchange& exchange);

/// Answers with what a request to the scheduler would change.
void reply_plan(const ExchangePtr& exchange, msg::PlanChange request);

/// `on`, `off`, `shutdown`, `reboot` or `reset` as the body's `action`. The body may have these
/// fields.
core::Result<std::string> read_action(const Exchange& exchange,
                                      std::initializer_list<std::string_view> fields = {"action"});

}  // namespace nucleus::gateway

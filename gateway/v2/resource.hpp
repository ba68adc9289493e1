// What every resource of v2 shares: bodies that are messages, pages, fields, ETags, watching.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "gateway/events/event_streams.hpp"
#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

/// The request's body: a JSON object of these fields alone (an empty body is an empty object).
core::Result<Json> read_body(const Exchange& exchange,
                             std::initializer_list<std::string_view> fields);
/// Why a body is none: what the message's reader said.
core::Error body_fault(const std::string& told);

/// The body as a message, of which a client may say `fields`.
template <class Message>
core::Result<Message> body_as(const Exchange& exchange,
                              std::initializer_list<std::string_view> fields) {
  const auto body = read_body(exchange, fields);
  if (!body) return std::unexpected(body.error());
  const auto packed = Json::to_msgpack(*body);
  try {
    return msg::decode<Message>(std::string(packed.begin(), packed.end()));
  } catch (const msg::DecodeError& error) {
    return std::unexpected(body_fault(error.what()));
  }
}

/// The revision that If-Match wants; 0 = any. An ETag that never was one of ours is a conflict.
core::Result<std::uint64_t> if_match(const Exchange& exchange);

/// The change, for the revision alone that If-Match wants.
template <class Change>
core::Result<Change> if_match(const Exchange& exchange, core::Result<Change> change) {
  if (!change) return change;
  const auto revision = if_match(exchange);
  if (!revision) return std::unexpected(revision.error());
  change->if_revision = *revision;
  return change;
}

/// One resource, of it the fields that `?fields=` names; an ETag where it has a revision.
void reply_one(const ExchangePtr& exchange, int status, const Json& resource,
               std::uint64_t revision = 0, Headers headers = {});

/// A page of a collection: `?limit=`, `?after=` of the field `key`, by which it is ordered.
struct Collection {
  const char* name;
  const char* key;
  Json items = Json::array();
  bool is_more = false;  // there are others after the last of `items`
};
void reply_page(const ExchangePtr& exchange, Collection collection);

/// The collection, or with `?watch` the events of these types: of the path's cluster alone where it
/// names one. `list` must answer 404 where the caller may not see the cluster.
Handler watchable(EventStreams& streams, std::set<std::string> types, Handler list);
template <class... Events>
Handler watchable(EventStreams& streams, Handler list) {
  return watchable(streams, {std::string(Events::topic)...}, std::move(list));
}

/// `on`, `off`, `shutdown`, `reboot` or `reset` as the body's `action`.
core::Result<std::string> read_action(const Exchange& exchange);

}  // namespace nucleus::gateway

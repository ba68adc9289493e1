// Reads every page of a list from its service.
#pragma once

#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

constexpr std::size_t pages_max = 1'000;  // of one list in one answer; each has up to 1000 entries

/// Requests one page after the other, hands each to `take`, then calls `done`. A refusal by the
/// service goes to `refused`, or refuses the exchange.
template <class Request>
void for_each_page(const ExchangePtr& exchange, Request request,
                   std::function<void(typename Request::Reply)> take, std::function<void()> done,
                   std::function<void(const core::Error&)> refused = {},
                   std::size_t pages_left = pages_max) {
  request.page.limit = msg::page_entries_max;
  exchange->try_ask(request, [exchange, request, take = std::move(take), done = std::move(done),
                              refused = std::move(refused),
                              pages_left](core::Result<typename Request::Reply> reply) mutable {
    if (!reply) return refused ? refused(reply.error()) : exchange->refuse(reply.error());
    request.page.after = reply->next;
    take(std::move(*reply));
    if (request.page.after.empty()) return done();
    if (pages_left <= 1)
      return exchange->refuse(core::ErrorCode::internal, "a list has more pages than an answer");
    for_each_page(exchange, std::move(request), std::move(take), std::move(done),
                  std::move(refused), pages_left - 1);
  });
}

}  // namespace nucleus::gateway

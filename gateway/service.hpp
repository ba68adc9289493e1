// The gateway translates REST requests into messages and events into streams. It owns no state.
// Everything except the HTTP server runs on the loop.
#pragma once

#include "core/runtime/runtime.hpp"
#include "gateway/cache/cached_reads.hpp"
#include "gateway/config.hpp"
#include "gateway/events/event_streams.hpp"
#include "gateway/idempotency/idempotency_keys.hpp"
#include "gateway/metrics.hpp"
#include "gateway/portal/portal_files.hpp"
#include "gateway/routing/exchange.hpp"
#include "gateway/routing/router.hpp"

namespace nucleus::gateway {

class Service {
 public:
  /// Throws if the address cannot be bound.
  Service(core::Runtime& runtime, Config config);

  /// The ADDRESS:PORT that it listens on.
  std::string address() const { return server_->endpoint().text(); }
  /// All routes that it serves.
  const std::vector<Route>& routes() const { return router_.routes(); }

 private:
  void add_own_routes();
  void handle(core::http::Request request, std::shared_ptr<void> kept, core::http::Respond respond);
  void plan_upload(
      const core::http::Request& request,
      std::function<void(std::variant<core::http::BodyPlan, core::http::Response>)> done);
  void finish_upload(const ExchangePtr& exchange, const Route& route);
  void authenticate(const ExchangePtr& exchange, msg::Right needs,
                    std::function<void(msg::Principal)> next);
  ExchangePtr make_exchange(core::http::Request request, core::http::Respond respond);

  core::Runtime& runtime_;
  Config config_;
  Metrics metrics_;
  Router router_ = {};
  EventStreams streams_;
  IdempotencyKeys idempotency_keys_;
  CachedReads cached_reads_;
  PortalFiles portal_files_;
  std::unique_ptr<core::http::Server> server_ = {};  // last: it calls into all the others
};

}  // namespace nucleus::gateway

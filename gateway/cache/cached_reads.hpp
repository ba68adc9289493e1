// Answers GETs from the cache, merges concurrent requests for the same answer (single flight), and
// verifies tokens. Runs on the loop; the HTTP thread reads the AnswerCache by itself.
#pragma once

#include "core/runtime/runtime.hpp"
#include "gateway/cache/answer_cache.hpp"
#include "gateway/config.hpp"
#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

class CachedReads {
 public:
  CachedReads(core::Runtime& runtime, const Config& config, Metrics& metrics);

  AnswerCache& cache() { return cache_; }
  /// The next event of the deployment: invalidates what it may change.
  void follow(const core::StoredEvent& event);
  /// Answers a GET of a cached route whose credential was checked: from the cache, with the answer
  /// of a request in progress, or by the route's handler.
  void run(const ExchangePtr& exchange, const Route& route);
  /// Passes the token's principal to `next`, from the cache or the registry, or the registry's
  /// error to `refuse`.
  void verify(const ExchangePtr& exchange, const msg::CheckToken& token,
              std::function<void(msg::Principal)> next,
              std::function<void(const core::Error&)> refuse);

 private:
  /// A request in progress, and the exchanges that wait for its answer.
  struct Flight {
    Dependency dependency = {};
    std::uint64_t observed = 0;  // the newest event observed when it began
    std::uint64_t after = 0;     // its answer contains events up to here at least
    bool is_stale = false;       // an event that may change it came since
    std::vector<ExchangePtr> waiting = {};
  };
  using FlightPtr = std::shared_ptr<Flight>;

  FlightPtr find_flight(const core::Sha256& key, const Exchange& exchange);
  void begin_flight(const core::Sha256& key, const ExchangePtr& exchange, const Route& route);
  void end_flight(const core::Sha256& key, const FlightPtr& flight, Exchange& first,
                  const Route& route, const core::http::Response& response);
  void bind(const Exchange& exchange, const AnswerCache::AnswerPtr& answer);

  core::Runtime& runtime_;
  Metrics& metrics_;
  AnswerCache cache_;
  std::unordered_map<core::Sha256, FlightPtr, core::Sha256Prefix> flights_ =
      {};  // the newest by key
};

}  // namespace nucleus::gateway

// Answers GETs from memory, asks once for what many ask for, and remembers who was verified. On the
// loop; what it keeps is in AnswerCache, from which the HTTP thread answers by itself.
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
  /// The next event of the deployment: what it may change is asked for anew.
  void follow(const core::StoredEvent& event);
  /// Answers a GET of a remembered route, whose caller is known: from memory, with the answer that
  /// another is waiting for, or through the route's handler.
  void run(const ExchangePtr& exchange, const Route& route);
  /// Who the token is; asks the registry where it is not remembered, and refuses as that does.
  void verify(const ExchangePtr& exchange, const msg::CheckToken& token,
              std::function<void(msg::Principal)> next);

 private:
  /// An answer that is being made, and who else waits for it.
  struct Flight {
    Dependency dependency = {};
    std::uint64_t observed = 0;  // when it began
    std::uint64_t after = 0;     // it knows events up to here at least
    bool is_stale = false;       // an event came that may change it
    std::vector<ExchangePtr> waiting = {};
  };
  using FlightPtr = std::shared_ptr<Flight>;

  FlightPtr find_flight(const core::Sha256& key, const Exchange& exchange);
  void begin_flight(const core::Sha256& key, const ExchangePtr& exchange, const Route& route);
  void end_flight(const core::Sha256& key, const FlightPtr& flight, Exchange& first,
                  const Route& route, const HttpResponse& response);
  void bind(const Exchange& exchange, const AnswerCache::AnswerPtr& answer);

  core::Runtime& runtime_;
  Metrics& metrics_;
  AnswerCache cache_;
  std::unordered_map<core::Sha256, FlightPtr, core::Sha256Prefix> flights_ =
      {};  // the newest of each key
};

}  // namespace nucleus::gateway

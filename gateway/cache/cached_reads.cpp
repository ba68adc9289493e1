#include "gateway/cache/cached_reads.hpp"

#include <limits>

#include "core/http/gzip.hpp"

namespace nucleus::gateway {

namespace {

/// Everything that determines an answer: the target, what services see of the caller, and whether
/// it is packed: it is packed once, not with each request.
core::Sha256 key_of(const Exchange& exchange) {
  auto who = exchange.who;
  who.person_id = {};
  who.token_id.clear();
  who.expires_unix_s = 0;
  who.person_uid.clear();
  return core::sha256(exchange.request.target + "\n" + exchange.base_url + "\n" +
                      (core::http::accepts_gzip(exchange.request) ? "gzip\n" : "\n") +
                      msg::encode(who));
}

Dependency dependency_of(const Exchange& exchange) {
  if (const auto cluster = exchange.path.find("cluster"); cluster != exchange.path.end())
    return {.cluster = cluster->second};
  return {.projects = exchange.who.projects, .is_everything = exchange.is_operator()};
}

bool is_lasting(const core::http::Response& response) {
  return response.status == 200 && !response.on_open && !response.headers.contains("Cache-Control");
}

}  // namespace

CachedReads::CachedReads(core::Runtime& runtime, const Config& config, Metrics& metrics)
    : runtime_{runtime}, metrics_{metrics}, cache_{config.cache_bytes_max, metrics} {
  runtime_.store.on_loaded([this] {
    cache_.begin(runtime_.store.cursor());
    for (const auto& [key, flight] : flights_) flight->is_stale = true;
  });
  // From the moment an event is known to exist until it is applied, nothing is served.
  runtime_.bus.observe("",
                       [this](const core::StoredEvent& event) { cache_.observe(event.sequence); });
  runtime_.bus.watch_completeness(
      [this](std::int64_t complete_until_ms) { cache_.set_complete_until(complete_until_ms); });
}

void CachedReads::follow(const core::StoredEvent& event) {
  for (const auto& [key, flight] : flights_)
    if (may_change(flight->dependency, event)) flight->is_stale = true;
  cache_.apply(event);
}

void CachedReads::run(const ExchangePtr& exchange, const Route& route) {
  if (exchange->request.query.contains("watch")) return route.handler(exchange);
  const auto key = key_of(*exchange);
  const auto now_ms = runtime_.loop.steady_ms();
  if (const auto answer = cache_.find(key, exchange->after_sequence, now_ms)) {
    metrics_.count_hit();
    bind(*exchange, answer);
    return exchange->respond({.prepared = answer->ready});
  }
  metrics_.count_miss();
  if (!cache_.is_receiving(now_ms)) return route.handler(exchange);
  if (const auto flight = find_flight(key, *exchange)) return flight->waiting.push_back(exchange);
  begin_flight(key, exchange, route);
}

/// Not a flight whose answer may be older than what this caller has already seen.
CachedReads::FlightPtr CachedReads::find_flight(const core::Sha256& key, const Exchange& exchange) {
  const auto found = flights_.find(key);
  if (found == flights_.end()) return {};
  const auto& flight = found->second;
  const bool is_new_enough = !flight->is_stale && flight->observed == cache_.newest_observed() &&
                             flight->after >= exchange.after_sequence;
  return is_new_enough ? flight : FlightPtr();
}

void CachedReads::begin_flight(const core::Sha256& key, const ExchangePtr& exchange,
                               const Route& route) {
  auto flight = std::make_shared<Flight>(Flight{.dependency = dependency_of(*exchange),
                                                .observed = cache_.newest_observed(),
                                                .after = exchange->after_sequence});
  flights_[key] = flight;
  exchange->before_answer(
      [this, key, flight, first = exchange.get(), &route](const core::http::Response& response) {
        end_flight(key, flight, *first, route, response);
      });
  route.handler(exchange);
}

void CachedReads::end_flight(const core::Sha256& key, const FlightPtr& flight, Exchange& first,
                             const Route& route, const core::http::Response& response) {
  if (const auto newest = flights_.find(key); newest != flights_.end() && newest->second == flight)
    flights_.erase(newest);
  core::http::Response shared = response;
  if (is_lasting(response)) shared = {.prepared = core::http::prepare_response(response)};
  if (shared.prepared && !flight->is_stale) {
    auto& requests = metrics_.requests(label_of(route), response.status);
    if (const auto answer = cache_.keep(key, flight->dependency, shared.prepared, requests)) {
      bind(first, answer);
      for (const auto& other : flight->waiting) bind(*other, answer);
    }
  }
  for (const auto& other : std::exchange(flight->waiting, {})) other->respond(shared);
}

void CachedReads::bind(const Exchange& exchange, const AnswerCache::AnswerPtr& answer) {
  // A head with If-None-Match may have to be answered 304.
  if (exchange.verified && exchange.request.head_digest &&
      !exchange.request.headers.contains("If-None-Match"))
    cache_.bind(*exchange.request.head_digest, exchange.verified, answer, exchange.after_sequence);
}

void CachedReads::verify(const ExchangePtr& exchange, const msg::CheckToken& token,
                         std::function<void(msg::Principal)> next,
                         std::function<void(const core::Error&)> refuse) {
  const auto secret = core::sha256(token.token);
  if (auto verified = cache_.find_token(secret, runtime_.loop.steady_ms())) {
    exchange->verified = verified;
    return next(verified->who);
  }
  exchange->try_ask(token, [this, exchange, secret, ended = cache_.credential_changes(),
                            next = std::move(next),
                            refuse = std::move(refuse)](const core::Result<msg::Principal>& who) {
    if (!who) return refuse(who.error());
    const std::int64_t left_ms = who->expires_unix_s == 0
                                     ? std::numeric_limits<std::int64_t>::max()
                                     : who->expires_unix_s * 1000 - runtime_.loop.unix_ms();
    exchange->verified = cache_.keep_token(secret, *who, runtime_.loop.steady_ms(), left_ms, ended);
    next(*who);
  });
}

}  // namespace nucleus::gateway

#include "core/metrics/core_metrics.hpp"

#include "core/metrics/series.hpp"

namespace nucleus::core {

namespace {

const prometheus::Histogram::BucketBoundaries exchange_buckets{
    0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
const prometheus::Histogram::BucketBoundaries commit_buckets{
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};

}  // namespace

CoreMetrics::Exchanges::Exchanges(prometheus::Registry& registry, const std::string& prefix,
                                  const std::string& what)
    : total_{prometheus::BuildCounter()
                 .Name(prefix + "s_total")
                 .Help(what + ", by topic and outcome (ok or the error code).")
                 .Register(registry)},
      seconds_{prometheus::BuildHistogram()
                   .Name(prefix + "_seconds")
                   .Help(what + ": time from arrival or sending to the reply.")
                   .Register(registry)} {}

void CoreMetrics::Exchanges::count(const std::string& topic, const Error* error, double seconds) {
  Topic& known = topics_[topic];
  if (!known.seconds) known.seconds = &seconds_.Add({{"topic", topic}}, exchange_buckets);
  const auto code = error ? error->code : msg::ErrorCode::unknown;
  auto& outcome = known.outcomes[code];
  if (!outcome) {
    const std::string name = error ? std::string(msg::name_of(code)) : "ok";
    outcome = &total_.Add({{"topic", topic}, {"outcome", name}});
  }
  outcome->Increment();
  known.seconds->Observe(seconds);
}

CoreMetrics::CoreMetrics(prometheus::Registry& registry)
    : registry_{registry},
      requests_{registry, "nucleus_core_request", "Requests served"},
      calls_{registry, "nucleus_core_call", "Calls to other processes"},
      events_handled_{counter(registry, "nucleus_core_events_handled_total", "Events handled.")},
      event_numbers_{prometheus::BuildGauge()
                         .Name("nucleus_core_event_number")
                         .Help("Event numbers: the last one handled, and the newest one known.")
                         .Register(registry)},
      in_flight_{gauge(registry, "nucleus_core_requests_in_flight", "Requests in flight.")},
      serving_{gauge(registry, "nucleus_core_serving", "1 while requests are accepted.")} {}

void CoreMetrics::open_store() {
  store_.emplace(StoreSeries{
      .commit_seconds = prometheus::BuildHistogram()
                            .Name("nucleus_core_commit_seconds")
                            .Help("Time from passing a commit to the journal until it is durable.")
                            .Register(registry_)
                            .Add({}, commit_buckets),
      .commits_failed = counter(registry_, "nucleus_core_commits_failed_total",
                                "Commits that were refused or have an unknown outcome."),
      .is_up = gauge(registry_, "nucleus_core_store_up",
                     "1 if the last request to Redis was answered.")});
}

void CoreMetrics::count_commit(bool is_durable, double seconds) {
  if (!store_) return;
  if (is_durable)
    store_->commit_seconds.Observe(seconds);
  else
    store_->commits_failed.Increment();
}

void CoreMetrics::show_store_up(bool is_up) {
  if (store_) store_->is_up.Set(is_up ? 1 : 0);
}

void CoreMetrics::show_events(std::uint64_t handled, std::uint64_t newest) {
  if (!event_handled_) {
    event_handled_ = &event_numbers_.Add({{"of", "handled"}});
    event_newest_ = &event_numbers_.Add({{"of", "newest"}});
  }
  event_handled_->Set(static_cast<double>(handled));
  event_newest_->Set(static_cast<double>(newest));
}

}  // namespace nucleus::core

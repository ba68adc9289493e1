// Metrics of every process: requests served, calls made, events handled, commits. Updated on the
// loop, scraped on another thread. Labels are topics and outcomes, which are few; never an id.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace nucleus::core {

class CoreMetrics {
 public:
  explicit CoreMetrics(prometheus::Registry& registry);

  /// `topic` is one that this process serves; other requests are counted as `unknown`.
  void count_request(const std::string& topic, const Error* error, double seconds) {
    requests_.count(topic, error, seconds);
  }
  void count_call(const std::string& topic, const Error* error, double seconds) {
    calls_.count(topic, error, seconds);
  }
  void count_event() { events_handled_.Increment(); }

  /// Registers the series of a process with a store; the others do not have them.
  void open_store();
  void count_commit(bool is_durable, double seconds);
  void show_store_up(bool is_up);

  /// The last event handled, and the newest one known. Registers the series when first called.
  void show_events(std::uint64_t handled, std::uint64_t newest);
  void show_in_flight(std::size_t count) { in_flight_.Set(static_cast<double>(count)); }
  void show_serving(bool is_serving) { serving_.Set(is_serving ? 1 : 0); }

 private:
  /// A counter by topic and outcome and a histogram by topic, cached: Prometheus' own lookup is
  /// slow.
  class Exchanges {
   public:
    Exchanges(prometheus::Registry& registry, const std::string& prefix, const std::string& what);
    void count(const std::string& topic, const Error* error, double seconds);

   private:
    struct Topic {
      prometheus::Histogram* seconds = nullptr;
      std::map<msg::ErrorCode, prometheus::Counter*> outcomes = {};  // unknown = success
    };
    prometheus::Family<prometheus::Counter>& total_;
    prometheus::Family<prometheus::Histogram>& seconds_;
    std::map<std::string, Topic> topics_ = {};
  };

  struct StoreSeries {
    prometheus::Histogram& commit_seconds;
    prometheus::Counter& commits_failed;
    prometheus::Gauge& is_up;
  };

  prometheus::Registry& registry_;
  Exchanges requests_;
  Exchanges calls_;
  std::optional<StoreSeries> store_ = {};
  prometheus::Counter& events_handled_;
  prometheus::Family<prometheus::Gauge>& event_numbers_;
  prometheus::Gauge* event_handled_ = nullptr;
  prometheus::Gauge* event_newest_ = nullptr;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& serving_;
};

}  // namespace nucleus::core

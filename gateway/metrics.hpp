// The gateway's Prometheus series. From any thread.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::gateway {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : requests_{core::counter_family(registry, "nucleus_gateway_requests_total",
                                       "Requests answered, by route and status.")},
        seconds_{
            core::histogram(registry, "nucleus_gateway_request_seconds",
                            "Time from a request's last byte to its answer.",
                            {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5})},
        streams_{core::gauge(registry, "nucleus_gateway_event_streams", "Open event streams.")},
        hits_{core::counter(registry, "nucleus_gateway_cache_hits_total",
                            "Reads answered from the cache.")},
        misses_{core::counter(registry, "nucleus_gateway_cache_misses_total",
                              "Reads that called services, or waited for a read that did.")},
        memory_bytes_{
            core::gauge(registry, "nucleus_gateway_cache_bytes", "Memory used by cached answers.")},
        certificate_end_{core::gauge(registry, "nucleus_gateway_certificate_end_unix_seconds",
                                     "End of the TLS certificate; 0 = plain HTTP.")} {}

  void count(const std::string& route, int status, double seconds) {
    requests(route, status).Increment();
    seconds_.Observe(seconds);
  }
  prometheus::Counter& requests(const std::string& route, int status) {
    return requests_.Add({{"route", route}, {"status", std::to_string(status)}});
  }
  /// Answered on the HTTP thread, in less time than the clock resolves.
  void count_head_hit(prometheus::Counter& requests) {
    requests.Increment();
    seconds_.Observe(0);
    hits_.Increment();
  }
  void count_hit() { hits_.Increment(); }
  void count_miss() { misses_.Increment(); }
  void show_cache_bytes(std::size_t bytes) { memory_bytes_.Set(static_cast<double>(bytes)); }
  void show_streams(std::size_t count) { streams_.Set(static_cast<double>(count)); }
  prometheus::Gauge& certificate_end() { return certificate_end_; }

 private:
  core::CounterFamily& requests_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& streams_;
  prometheus::Counter& hits_;
  prometheus::Counter& misses_;
  prometheus::Gauge& memory_bytes_;
  prometheus::Gauge& certificate_end_;
};

}  // namespace nucleus::gateway

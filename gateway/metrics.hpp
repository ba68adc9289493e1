// The gateway's Prometheus series. From any thread.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace nucleus::gateway {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : requests_{prometheus::BuildCounter()
                      .Name("nucleus_gateway_requests_total")
                      .Help("Requests answered, by route and status.")
                      .Register(registry)},
        seconds_{
            prometheus::BuildHistogram()
                .Name("nucleus_gateway_request_seconds")
                .Help("Time from a request's last byte to its answer.")
                .Register(registry)
                .Add({}, prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025,
                                                                 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5})},
        streams_{prometheus::BuildGauge()
                     .Name("nucleus_gateway_event_streams")
                     .Help("Open event streams.")
                     .Register(registry)
                     .Add({})},
        hits_{prometheus::BuildCounter()
                  .Name("nucleus_gateway_cache_hits_total")
                  .Help("Reads answered from the cache.")
                  .Register(registry)
                  .Add({})},
        misses_{prometheus::BuildCounter()
                    .Name("nucleus_gateway_cache_misses_total")
                    .Help("Reads that called services, or waited for a read that did.")
                    .Register(registry)
                    .Add({})},
        memory_bytes_{prometheus::BuildGauge()
                          .Name("nucleus_gateway_cache_bytes")
                          .Help("Memory used by cached answers.")
                          .Register(registry)
                          .Add({})},
        certificate_end_{prometheus::BuildGauge()
                             .Name("nucleus_gateway_certificate_end_unix_seconds")
                             .Help("End of the TLS certificate; 0 = plain HTTP.")
                             .Register(registry)
                             .Add({})} {}

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
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& streams_;
  prometheus::Counter& hits_;
  prometheus::Counter& misses_;
  prometheus::Gauge& memory_bytes_;
  prometheus::Gauge& certificate_end_;
};

}  // namespace nucleus::gateway

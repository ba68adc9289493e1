// The gateway's Prometheus series.
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
                .Help("From a request's last byte to its answer.")
                .Register(registry)
                .Add({}, prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025,
                                                                 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5})},
        streams_{prometheus::BuildGauge()
                     .Name("nucleus_gateway_event_streams")
                     .Help("Event streams that are open.")
                     .Register(registry)
                     .Add({})} {}

  void count(const std::string& route, int status, double seconds) {
    requests_.Add({{"route", route}, {"status", std::to_string(status)}}).Increment();
    seconds_.Observe(seconds);
  }
  void show_streams(std::size_t count) { streams_.Set(static_cast<double>(count)); }

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& streams_;
};

}  // namespace nucleus::gateway

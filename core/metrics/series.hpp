// Registers a process's Prometheus series in one line each. A family gets its series by
// `family.Add({{"label", "value"}})`.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace nucleus::core {

using CounterFamily = prometheus::Family<prometheus::Counter>;
using GaugeFamily = prometheus::Family<prometheus::Gauge>;

inline CounterFamily& counter_family(prometheus::Registry& registry, const std::string& name,
                                     const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

inline GaugeFamily& gauge_family(prometheus::Registry& registry, const std::string& name,
                                 const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

inline prometheus::Counter& counter(prometheus::Registry& registry, const std::string& name,
                                    const std::string& help) {
  return counter_family(registry, name, help).Add({});
}

inline prometheus::Gauge& gauge(prometheus::Registry& registry, const std::string& name,
                                const std::string& help) {
  return gauge_family(registry, name, help).Add({});
}

inline prometheus::Histogram& histogram(prometheus::Registry& registry, const std::string& name,
                                        const std::string& help,
                                        const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace nucleus::core

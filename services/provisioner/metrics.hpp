// The provisioner's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace nucleus::provisioner {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : domains{gauge(registry, "nucleus_provisioner_domains", "Domains observed.")},
        grants{gauge(registry, "nucleus_provisioner_grants", "Grants held.")},
        hypervisor_up{gauge(registry, "nucleus_provisioner_hypervisor_up",
                            "1 while the hypervisor answers, else 0.")},
        steps_failed{prometheus::BuildCounter()
                         .Name("nucleus_provisioner_steps_failed_total")
                         .Help("Failed calls of the driver for a domain.")
                         .Register(registry)
                         .Add({})},
        create_seconds{prometheus::BuildHistogram()
                           .Name("nucleus_provisioner_create_seconds")
                           .Help("Time to create a domain.")
                           .Register(registry)
                           .Add({}, prometheus::Histogram::BucketBoundaries{0.001, 0.005, 0.02, 0.1,
                                                                            0.3, 1, 3, 10, 30})} {}

  prometheus::Gauge& domains;
  prometheus::Gauge& grants;
  prometheus::Gauge& hypervisor_up;
  prometheus::Counter& steps_failed;
  prometheus::Histogram& create_seconds;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
};

}  // namespace nucleus::provisioner

// The provisioner's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::provisioner {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : domains{core::gauge(registry, "nucleus_provisioner_domains", "Domains observed.")},
        grants{core::gauge(registry, "nucleus_provisioner_grants", "Grants held.")},
        hypervisor_up{core::gauge(registry, "nucleus_provisioner_hypervisor_up",
                                  "1 while the hypervisor answers, else 0.")},
        steps_failed{core::counter(registry, "nucleus_provisioner_steps_failed_total",
                                   "Failed calls of the driver for a domain.")},
        isolation_broken{core::gauge(registry, "nucleus_provisioner_isolation_broken",
                                     "Differences between the leases and the switch.")},
        isolation_checked{core::gauge(registry,
                                      "nucleus_provisioner_isolation_checked_timestamp_seconds",
                                      "When the switch had been checked completely; 0 = not yet.")},
        adapters{core::gauge(registry, "nucleus_provisioner_adapters",
                             "InfiniBand adapters that nodes can be given.")},
        create_seconds{core::histogram(registry, "nucleus_provisioner_create_seconds",
                                       "Time to create a domain.",
                                       {0.001, 0.005, 0.02, 0.1, 0.3, 1, 3, 10, 30})} {}

  prometheus::Gauge& domains;
  prometheus::Gauge& grants;
  prometheus::Gauge& hypervisor_up;
  prometheus::Counter& steps_failed;
  prometheus::Gauge& isolation_broken;
  prometheus::Gauge& isolation_checked;
  prometheus::Gauge& adapters;
  prometheus::Histogram& create_seconds;
};

}  // namespace nucleus::provisioner

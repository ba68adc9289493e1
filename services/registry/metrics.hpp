// The registry's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::registry {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : clusters{core::gauge(registry, "nucleus_registry_clusters", "Clusters that exist.")},
        nodes{core::gauge(registry, "nucleus_registry_nodes", "Nodes of all clusters.")},
        nonces{core::gauge(registry, "nucleus_registry_nonces", "Nonces stored.")},
        checks_{core::counter_family(registry, "nucleus_registry_checks_total",
                                     "Credential checks, by kind and outcome.")} {}

  /// Counts one check of a credential of this kind: `token`, `signature` or `password`.
  void count_check(const char* kind, bool is_accepted) {
    checks_.Add({{"kind", kind}, {"outcome", is_accepted ? "accepted" : "refused"}}).Increment();
  }

  prometheus::Gauge& clusters;
  prometheus::Gauge& nodes;
  prometheus::Gauge& nonces;

 private:
  core::CounterFamily& checks_;
};

}  // namespace nucleus::registry

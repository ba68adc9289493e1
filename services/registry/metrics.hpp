// The registry's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::registry {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : clusters{gauge(registry, "nucleus_registry_clusters", "Clusters that exist.")},
        nodes{gauge(registry, "nucleus_registry_nodes", "Nodes of all clusters.")},
        nonces{gauge(registry, "nucleus_registry_nonces", "Nonces stored.")},
        checks_{prometheus::BuildCounter()
                    .Name("nucleus_registry_checks_total")
                    .Help("Credential checks, by kind and outcome.")
                    .Register(registry)} {}

  /// Counts one check of a credential of this kind: `token`, `signature` or `password`.
  void count_check(const char* kind, bool is_accepted) {
    checks_.Add({{"kind", kind}, {"outcome", is_accepted ? "accepted" : "refused"}}).Increment();
  }

  prometheus::Gauge& clusters;
  prometheus::Gauge& nodes;
  prometheus::Gauge& nonces;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  prometheus::Family<prometheus::Counter>& checks_;
};

}  // namespace nucleus::registry

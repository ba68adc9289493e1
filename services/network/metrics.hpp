// The network service's Prometheus series.
#pragma once

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::network {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : vlans_leased{gauge(registry, "nucleus_network_vlans_leased", "VLANs that clusters have.")},
        vlans_resting{gauge(registry, "nucleus_network_vlans_resting",
                            "VLANs freed that are not leased again yet.")},
        vlans_free{gauge(registry, "nucleus_network_vlans_free", "VLANs that could be leased.")},
        public_addresses_free{gauge(registry, "nucleus_network_public_addresses_free",
                                    "Public addresses that could be leased.")},
        clusters_waiting{
            gauge(registry, "nucleus_network_clusters_waiting", "Clusters that wait for a VLAN.")},
        frontends_waiting{gauge(registry, "nucleus_network_frontends_waiting",
                                "Frontends that wait for a public address.")} {}

  prometheus::Gauge& vlans_leased;
  prometheus::Gauge& vlans_resting;
  prometheus::Gauge& vlans_free;
  prometheus::Gauge& public_addresses_free;
  prometheus::Gauge& clusters_waiting;
  prometheus::Gauge& frontends_waiting;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
};

}  // namespace nucleus::network

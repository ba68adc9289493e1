// The network service's Prometheus series.
#pragma once

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::network {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : vlans_leased{gauge(registry, "nucleus_network_vlans_leased", "VLANs leased to clusters.")},
        vlans_quarantined{gauge(registry, "nucleus_network_vlans_quarantined",
                                "VLANs of removed clusters that may not be leased again yet.")},
        vlans_free{gauge(registry, "nucleus_network_vlans_free", "VLANs available to clusters.")},
        public_addresses_free{gauge(registry, "nucleus_network_public_addresses_free",
                                    "Public addresses available to frontends.")},
        clusters_waiting{
            gauge(registry, "nucleus_network_clusters_waiting", "Clusters waiting for a VLAN.")},
        nodes_waiting{
            gauge(registry, "nucleus_network_nodes_waiting", "Nodes waiting for an address.")} {}

  prometheus::Gauge& vlans_leased;
  prometheus::Gauge& vlans_quarantined;
  prometheus::Gauge& vlans_free;
  prometheus::Gauge& public_addresses_free;
  prometheus::Gauge& clusters_waiting;
  prometheus::Gauge& nodes_waiting;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
};

}  // namespace nucleus::network

// The network service's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::network {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : vlans_leased{core::gauge(registry, "nucleus_network_vlans_leased",
                                 "VLANs leased to clusters.")},
        vlans_quarantined{
            core::gauge(registry, "nucleus_network_vlans_quarantined",
                        "VLANs of removed clusters that may not be leased again yet.")},
        vlans_free{
            core::gauge(registry, "nucleus_network_vlans_free", "VLANs available to clusters.")},
        public_addresses_free{core::gauge(registry, "nucleus_network_public_addresses_free",
                                          "Public addresses available to frontends.")},
        clusters_waiting{core::gauge(registry, "nucleus_network_clusters_waiting",
                                     "Clusters waiting for a VLAN.")},
        nodes_waiting{core::gauge(registry, "nucleus_network_nodes_waiting",
                                  "Nodes waiting for an address.")} {}

  prometheus::Gauge& vlans_leased;
  prometheus::Gauge& vlans_quarantined;
  prometheus::Gauge& vlans_free;
  prometheus::Gauge& public_addresses_free;
  prometheus::Gauge& clusters_waiting;
  prometheus::Gauge& nodes_waiting;
};

}  // namespace nucleus::network

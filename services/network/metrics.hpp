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
        pkeys_leased{core::gauge(registry, "nucleus_network_pkeys_leased",
                                 "Pkeys leased to clusters, of all fabrics.")},
        pkeys_quarantined{
            core::gauge(registry, "nucleus_network_pkeys_quarantined",
                        "Pkeys of removed clusters that may not be leased again yet.")},
        pkeys_free{core::gauge(registry, "nucleus_network_pkeys_free",
                               "Pkeys available to clusters, of the fabric that has the fewest.")},
        fabrics_broken{core::gauge(registry, "nucleus_network_fabrics_broken",
                                   "Fabrics with a port in a wrong partition.")},
        fabrics_unchecked{core::gauge(registry, "nucleus_network_fabrics_unchecked",
                                      "Fabrics without a complete check in the last minute.")},
        partitions_corrected{
            core::counter(registry, "nucleus_network_partitions_corrected_total",
                          "Times that partitions were not as leased, and were applied again.")},
        members_joined{core::gauge(registry, "nucleus_network_members_joined",
                                   "Placed nodes whose InfiniBand ports are partition members.")},
        members_joining{core::gauge(registry, "nucleus_network_members_joining",
                                    "Placed nodes whose InfiniBand ports are not members yet.")},
        members_leaving{
            core::gauge(registry, "nucleus_network_members_leaving",
                        "Ended placements whose ports have not left their partitions yet.")},
        public_addresses_free{core::gauge(registry, "nucleus_network_public_addresses_free",
                                          "Public addresses available to frontends.")},
        clusters_waiting{core::gauge(registry, "nucleus_network_clusters_waiting",
                                     "Clusters waiting for a VLAN or for pkeys.")},
        nodes_waiting{core::gauge(registry, "nucleus_network_nodes_waiting",
                                  "Nodes waiting for an address.")} {}

  prometheus::Gauge& vlans_leased;
  prometheus::Gauge& vlans_quarantined;
  prometheus::Gauge& vlans_free;
  prometheus::Gauge& pkeys_leased;
  prometheus::Gauge& pkeys_quarantined;
  prometheus::Gauge& pkeys_free;
  prometheus::Gauge& fabrics_broken;
  prometheus::Gauge& fabrics_unchecked;
  prometheus::Counter& partitions_corrected;
  prometheus::Gauge& members_joined;
  prometheus::Gauge& members_joining;
  prometheus::Gauge& members_leaving;
  prometheus::Gauge& public_addresses_free;
  prometheus::Gauge& clusters_waiting;
  prometheus::Gauge& nodes_waiting;
};

}  // namespace nucleus::network

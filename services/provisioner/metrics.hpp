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

/// Where a chunk came from, or why a host that was asked for one did not give it.
struct ChunkMetrics {
  explicit ChunkMetrics(prometheus::Registry& registry)
      : fetched{core::counter_family(registry, "nucleus_provisioner_chunks_fetched_total",
                                     "Chunks of images fetched, by source.")},
        fetched_bytes{core::counter_family(registry,
                                           "nucleus_provisioner_chunk_bytes_fetched_total",
                                           "Bytes of chunks fetched, as packed, by source.")},
        faults{core::counter_family(registry, "nucleus_provisioner_chunk_peer_faults_total",
                                    "Requests for chunks that another host did not fulfil.")},
        store_chunks{fetched.Add({{"from", "store"}})},
        store_bytes{fetched_bytes.Add({{"from", "store"}})},
        peer_chunks{fetched.Add({{"from", "host"}})},
        peer_bytes{fetched_bytes.Add({{"from", "host"}})},
        peers_unavailable{faults.Add({{"reason", "unavailable"}})},
        peers_refusing{faults.Add({{"reason", "refused"}})},
        peers_wrong{faults.Add({{"reason", "wrong"}})},
        found{core::counter(registry, "nucleus_provisioner_chunks_found_total",
                            "Chunks that were needed and on this host.")},
        damaged{core::counter(registry, "nucleus_provisioner_chunks_damaged_total",
                              "Chunks on this host that were damaged, and were deleted.")},
        sent_bytes{core::counter(registry, "nucleus_provisioner_chunk_bytes_sent_total",
                                 "Bytes of chunks sent to other hosts, as packed.")},
        cache_bytes{core::gauge(registry, "nucleus_provisioner_chunk_cache_bytes",
                                "Bytes of chunks on this host, as packed.")},
        copied_bytes{core::counter(registry, "nucleus_provisioner_image_bytes_copied_total",
                                   "Bytes of images copied while nodes ran, unpacked.")},
        images_incomplete{core::gauge(registry, "nucleus_provisioner_images_incomplete",
                                      "Images of running nodes of which chunks are missing.")} {}

  core::CounterFamily& fetched;
  core::CounterFamily& fetched_bytes;
  core::CounterFamily& faults;
  prometheus::Counter& store_chunks;
  prometheus::Counter& store_bytes;
  prometheus::Counter& peer_chunks;
  prometheus::Counter& peer_bytes;
  prometheus::Counter& peers_unavailable;
  prometheus::Counter& peers_refusing;
  prometheus::Counter& peers_wrong;
  prometheus::Counter& found;
  prometheus::Counter& damaged;
  prometheus::Counter& sent_bytes;
  prometheus::Gauge& cache_bytes;
  prometheus::Counter& copied_bytes;
  prometheus::Gauge& images_incomplete;
};

}  // namespace nucleus::provisioner

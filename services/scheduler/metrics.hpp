// The scheduler's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"

namespace nucleus::scheduler {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : hosts_up{core::gauge(registry, "nucleus_scheduler_hosts_up", "Hosts that answer.")},
        hosts_unreachable{core::gauge(registry, "nucleus_scheduler_hosts_unreachable",
                                      "Hosts that do not answer.")},
        hosts_isolation_broken{
            core::gauge(registry, "nucleus_scheduler_hosts_isolation_broken",
                        "Hosts whose switch does not isolate the clusters on it.")},
        hosts_isolation_unchecked{
            core::gauge(registry, "nucleus_scheduler_hosts_isolation_unchecked",
                        "Hosts that are up and could not check their switch.")},
        nodes_placed{
            core::gauge(registry, "nucleus_scheduler_nodes_placed", "Nodes placed on a host.")},
        nodes_waiting{core::gauge(registry, "nucleus_scheduler_nodes_waiting",
                                  "Nodes that are desired on and have no host.")},
        computesets_waiting{core::gauge(registry, "nucleus_scheduler_computesets_waiting",
                                        "Computesets that wait for hosts.")},
        computesets_running{core::gauge(registry, "nucleus_scheduler_computesets_running",
                                        "Computesets that are running or ending.")},
        starts_within{core::gauge(
            registry, "nucleus_scheduler_starts_within_estimate_ratio",
            "Of the last starts whose interval was estimated, the share that fell in it.")},
        batch_system_up{core::gauge(registry, "nucleus_scheduler_batch_system_up",
                                    "1 if the batch system answered last.")},
        grants_repeated{core::counter(
            registry, "nucleus_scheduler_grants_repeated_total",
            "Complete lists of grants sent to hosts that lagged or had restarted.")} {}

  prometheus::Gauge& hosts_up;
  prometheus::Gauge& hosts_unreachable;
  prometheus::Gauge& hosts_isolation_broken;
  prometheus::Gauge& hosts_isolation_unchecked;
  prometheus::Gauge& nodes_placed;
  prometheus::Gauge& nodes_waiting;
  prometheus::Gauge& computesets_waiting;
  prometheus::Gauge& computesets_running;
  prometheus::Gauge& starts_within;
  prometheus::Gauge& batch_system_up;
  prometheus::Counter& grants_repeated;
};

}  // namespace nucleus::scheduler

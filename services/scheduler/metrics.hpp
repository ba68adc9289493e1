// The scheduler's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace nucleus::scheduler {

struct Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : hosts_up{gauge(registry, "nucleus_scheduler_hosts_up", "Hosts that answer.")},
        hosts_unreachable{
            gauge(registry, "nucleus_scheduler_hosts_unreachable", "Hosts that do not answer.")},
        nodes_placed{gauge(registry, "nucleus_scheduler_nodes_placed", "Nodes placed on a host.")},
        nodes_waiting{gauge(registry, "nucleus_scheduler_nodes_waiting",
                            "Nodes that are desired on and have no host.")},
        computesets_waiting{gauge(registry, "nucleus_scheduler_computesets_waiting",
                                  "Computesets that wait for hosts.")},
        computesets_running{gauge(registry, "nucleus_scheduler_computesets_running",
                                  "Computesets that are running or ending.")},
        grants_repeated{
            prometheus::BuildCounter()
                .Name("nucleus_scheduler_grants_repeated_total")
                .Help("Complete lists of grants sent to hosts that lagged or had restarted.")
                .Register(registry)
                .Add({})} {}

  prometheus::Gauge& hosts_up;
  prometheus::Gauge& hosts_unreachable;
  prometheus::Gauge& nodes_placed;
  prometheus::Gauge& nodes_waiting;
  prometheus::Gauge& computesets_waiting;
  prometheus::Gauge& computesets_running;
  prometheus::Counter& grants_repeated;

 private:
  static prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name,
                                  const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
};

}  // namespace nucleus::scheduler

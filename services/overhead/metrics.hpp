// The overhead service's Prometheus series: what I/O and MPI cost in a cluster's machines.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "messages/overhead.hpp"

namespace nucleus::overhead {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : measurements_{prometheus::BuildCounter()
                          .Name("nucleus_overhead_measurements_total")
                          .Help("Measurements that ended, by result.")
                          .Register(registry)},
        latency_{gauge(registry, "nucleus_overhead_mpi_latency_seconds",
                       "Half a round trip of 1 byte between two ranks.")},
        bandwidth_{gauge(registry, "nucleus_overhead_mpi_bandwidth_bytes_per_second",
                         "MPI messages of 1 MiB between two ranks.")},
        io_{gauge(registry, "nucleus_overhead_io_random_reads_per_second",
                  "Random reads of 4 KiB.")},
        ratio_{gauge(registry, "nucleus_overhead_ratio",
                     "Cluster by host: mpi_latency is a cost (1 or more), the others a yield.")},
        measured_{gauge(registry, "nucleus_overhead_measured_time_seconds",
                        "When that was measured, in Unix time.")} {}

  void count(const msg::OverheadReport& report) {
    measurements_.Add({{"result", report.failure.empty() ? "measured" : "failed"}}).Increment();
  }

  /// The last measurement of all: a series bears no cluster's name, its report does.
  void show(const msg::OverheadReport& report) {
    const auto pair = [](prometheus::Family<prometheus::Gauge>& family, double in_cluster,
                         double on_host) {
      family.Add({{"where", "cluster"}}).Set(in_cluster);
      family.Add({{"where", "host"}}).Set(on_host);
    };
    pair(latency_, report.mpi_cluster.latency_us / 1e6, report.mpi_host.latency_us / 1e6);
    pair(bandwidth_, report.mpi_cluster.bandwidth_mb_s * 1e6, report.mpi_host.bandwidth_mb_s * 1e6);
    pair(io_, report.io_cluster.operations_per_s, report.io_host.operations_per_s);
    ratio_.Add({{"of", "mpi_latency"}}).Set(report.mpi_latency_ratio);
    ratio_.Add({{"of", "mpi_bandwidth"}}).Set(report.mpi_bandwidth_ratio);
    ratio_.Add({{"of", "io_random_reads"}}).Set(report.io_ratio);
    measured_.Add({}).Set(static_cast<double>(report.measured_unix_s));
  }

 private:
  using Gauges = prometheus::Family<prometheus::Gauge>;
  static Gauges& gauge(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }

  prometheus::Family<prometheus::Counter>& measurements_;
  Gauges& latency_;
  Gauges& bandwidth_;
  Gauges& io_;
  Gauges& ratio_;
  Gauges& measured_;
};

}  // namespace nucleus::overhead

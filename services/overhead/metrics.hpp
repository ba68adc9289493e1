// The overhead service's Prometheus series.
#pragma once

#include "core/metrics/series.hpp"
#include "messages/overhead.hpp"

namespace nucleus::overhead {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : measurements_{core::counter_family(registry, "nucleus_overhead_measurements_total",
                                           "Finished measurements, by result.")},
        latency_{core::gauge_family(registry, "nucleus_overhead_mpi_latency_seconds",
                                    "Half the round-trip time of a 1-byte MPI message.")},
        bandwidth_{core::gauge_family(registry, "nucleus_overhead_mpi_bandwidth_bytes_per_second",
                                      "Bandwidth of 1 MiB MPI messages.")},
        io_{core::gauge_family(registry, "nucleus_overhead_io_random_reads_per_second",
                               "Random 4 KiB reads per second.")},
        ratio_{core::gauge_family(registry, "nucleus_overhead_ratio",
                                  "Result in the cluster divided by the result on its host.")},
        measured_{core::gauge_family(registry, "nucleus_overhead_measured_time_seconds",
                                     "Unix time of the last successful measurement.")} {}

  void count(const msg::OverheadReport& report) {
    measurements_.Add({{"result", report.failure.empty() ? "measured" : "failed"}}).Increment();
  }

  /// Shows the last measurement of any cluster: labels never name a cluster.
  void show(const msg::OverheadReport& report) {
    const auto pair = [](core::GaugeFamily& family, double in_cluster, double on_host) {
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
  core::CounterFamily& measurements_;
  core::GaugeFamily& latency_;
  core::GaugeFamily& bandwidth_;
  core::GaugeFamily& io_;
  core::GaugeFamily& ratio_;
  core::GaugeFamily& measured_;
};

}  // namespace nucleus::overhead

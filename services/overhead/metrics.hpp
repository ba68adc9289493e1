// The overhead service's Prometheus series.
#pragma once

#include <algorithm>

#include "core/metrics/series.hpp"
#include "messages/overhead.hpp"

namespace nucleus::overhead {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : measurements_{core::counter_family(registry, "nucleus_overhead_measurements_total",
                                           "Finished measurements, by result.")},
        latency_{core::gauge_family(registry, "nucleus_overhead_mpi_latency_seconds",
                                    "Half the round-trip time of an 8-byte MPI message.")},
        bandwidth_{core::gauge_family(registry, "nucleus_overhead_mpi_bandwidth_bytes_per_second",
                                      "Bandwidth of 1 MiB MPI messages.")},
        io_{core::gauge_family(registry, "nucleus_overhead_io_random_reads_per_second",
                               "Random 4 KiB reads per second.")},
        ratio_{
            core::gauge_family(registry, "nucleus_overhead_ratio",
                               "Median of the results in a cluster divided by those on its hosts, "
                               "by accelerator, measurement and kind.")},
        noise_{core::gauge_family(registry, "nucleus_overhead_noise_ratio",
                                  "Median of native results divided by native results.")},
        verdicts_{core::counter_family(registry, "nucleus_overhead_verdicts_total",
                                       "Figures of certificates, by measurement and verdict.")},
        link_runs_{core::counter_family(registry, "nucleus_overhead_link_runs_total",
                                        "Runs over the links of a cluster, by result.")},
        measured_{core::gauge_family(registry, "nucleus_overhead_measured_time_seconds",
                                     "Unix time of the last successful measurement.")} {}

  void count(const msg::OverheadReport& report) {
    measurements_.Add({{"result", report.failure.empty() ? "measured" : "failed"}}).Increment();
  }

  void count(const msg::LinksReport& report) {
    const bool is_slow = std::ranges::count(report.links, true, &msg::Link::is_slow) > 0;
    const char* result = !report.failure.empty() ? "failed" : is_slow ? "slow" : "even";
    link_runs_.Add({{"result", result}}).Increment();
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
    measured_.Add({}).Set(static_cast<double>(report.measured_unix_s));
  }

  /// Shows the last ratios of the certificate's class: the accelerator, whichever the cluster.
  void show(const msg::Certificate& certificate) {
    const std::string accelerator = certificate.accelerator == "kvm" ? "kvm" : "tcg";
    for (const auto& figure : certificate.figures) {
      if (figure.verdict == msg::Verdict::refused) continue;
      const std::string kind{msg::name_of(figure.kind)};
      ratio_.Add({{"accelerator", accelerator}, {"of", figure.measurement}, {"kind", kind}})
          .Set(figure.ratio.median);
      noise_.Add({{"of", figure.measurement}}).Set(figure.noise.median);
    }
  }

  void count(const msg::Certificate& certificate) {
    for (const auto& figure : certificate.figures)
      verdicts_
          .Add({{"of", figure.measurement}, {"verdict", std::string(msg::name_of(figure.verdict))}})
          .Increment();
  }

 private:
  core::CounterFamily& measurements_;
  core::GaugeFamily& latency_;
  core::GaugeFamily& bandwidth_;
  core::GaugeFamily& io_;
  core::GaugeFamily& ratio_;
  core::GaugeFamily& noise_;
  core::CounterFamily& verdicts_;
  core::CounterFamily& link_runs_;
  core::GaugeFamily& measured_;
};

}  // namespace nucleus::overhead

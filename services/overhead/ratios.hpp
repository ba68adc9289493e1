// The ratios of a report. Pure.
#pragma once

#include "messages/overhead.hpp"

namespace nucleus::overhead {

/// Computes the ratios from the results; 0 if a result is missing or the ratio is out of range.
inline void set_ratios(msg::OverheadReport& report) {
  const auto ratio = [](double cluster, double host) {
    const double quotient = host > 0 ? cluster / host : 0;
    return quotient <= msg::probe_figure_max ? quotient : 0;
  };
  report.mpi_latency_ratio = ratio(report.mpi_cluster.latency_us, report.mpi_host.latency_us);
  report.mpi_bandwidth_ratio =
      ratio(report.mpi_cluster.bandwidth_mb_s, report.mpi_host.bandwidth_mb_s);
  report.io_ratio = ratio(report.io_cluster.operations_per_s, report.io_host.operations_per_s);
}

}  // namespace nucleus::overhead

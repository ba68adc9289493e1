// The report of a certificate, as it was before there were certificates. Pure.
#pragma once

#include <algorithm>

#include "messages/overhead.hpp"

namespace nucleus::overhead {

/// The medians and ratios of the figures that a report has; 0 if one is missing, refused or out of
/// range.
inline msg::OverheadReport report_of(const msg::Certificate& certificate) {
  msg::OverheadReport report{.cluster_id = certificate.cluster_id,
                             .project_id = certificate.project_id,
                             .measured_unix_s = certificate.ended_unix_s,
                             .failure = certificate.failure,
                             .certificate_id = certificate.certificate_id,
                             .accelerator = certificate.accelerator};
  const auto in_range = [](double value) { return value <= msg::probe_figure_max ? value : 0; };
  const auto set = [&](const char* name, double msg::ProbeResult::*figure,
                       msg::ProbeResult& in_cluster, msg::ProbeResult& on_host, double& ratio) {
    const auto found = std::ranges::find(certificate.figures, name, &msg::Figure::measurement);
    if (found == certificate.figures.end() || found->verdict == msg::Verdict::refused) return;
    in_cluster.*figure = in_range(found->virtual_median);
    on_host.*figure = in_range(found->native_median);
    ratio = in_range(found->ratio.median);
    for (const auto& [ranks, result] : {std::pair{&found->virtual_ranks, &in_cluster},
                                        std::pair{&found->native_ranks, &on_host}}) {
      result->hosts.clear();
      for (const auto& rank : *ranks)
        if (result->hosts.size() < msg::probe_ranks_max) result->hosts.push_back(rank.host);
    }
  };
  set("mpi_latency", &msg::ProbeResult::latency_us, report.mpi_cluster, report.mpi_host,
      report.mpi_latency_ratio);
  set("mpi_bandwidth", &msg::ProbeResult::bandwidth_mb_s, report.mpi_cluster, report.mpi_host,
      report.mpi_bandwidth_ratio);
  set("random_read", &msg::ProbeResult::operations_per_s, report.io_cluster, report.io_host,
      report.io_ratio);
  return report;
}

}  // namespace nucleus::overhead

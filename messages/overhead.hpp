// The overhead service's messages: what virtualization costs, measured in a cluster and on its
// hosts by the same probes.
#pragma once

#include <string>

#include "messages/common.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::msg {

/// One measurement; a ratio is cluster by host (bandwidth, operations) or its cost factor
/// (latency): 1 = free.
struct OverheadReport {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::int64_t measured_unix_s = 0;
  ProbeResult mpi_cluster = {};    // between the first two computes
  ProbeResult mpi_host = {};       // the same, on their host
  ProbeResult io_cluster = {};     // in the first compute
  ProbeResult io_host = {};        // the same, on its host
  double mpi_latency_ratio = 0;    // cluster / host, >= 1 means slower
  double mpi_bandwidth_ratio = 0;  // cluster / host, <= 1 means slower
  double io_ratio = 0;             // cluster / host, <= 1 means slower
  std::string failure = {};        // why it could not be measured; empty = it was
  NUCLEUS_FIELDS(cluster_id, project_id, measured_unix_s, mpi_cluster, mpi_host, io_cluster,
                 io_host, mpi_latency_ratio, mpi_bandwidth_ratio, io_ratio, failure);
};

/// Measures a cluster whose first two computes run; accepted at once, told by OverheadMeasured.
struct MeasureCluster {
  static constexpr std::string_view topic = "overhead.measure-cluster";
  using Reply = Done;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// The cluster's last report; `not_found` where it was never measured.
struct GetReport {
  static constexpr std::string_view topic = "overhead.get-report";
  using Reply = OverheadReport;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// Event: a measurement ended, or could not be made.
struct OverheadMeasured {
  static constexpr std::string_view topic = "overhead.measured";
  OverheadReport report = {};
  NUCLEUS_FIELDS(report);
};

}  // namespace nucleus::msg

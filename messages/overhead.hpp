// The overhead service's messages: the cost of virtualization, measured with the same probes in a
// cluster and on its hosts.
#pragma once

#include <string>

#include "messages/common.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::msg {

/// One measurement. A ratio is the cluster's result divided by the host's, 0..1e9; 1 = no overhead,
/// 0 = not measured.
struct OverheadReport {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::int64_t measured_unix_s = 0;
  ProbeResult mpi_cluster = {};    // between the first two active compute nodes
  ProbeResult mpi_host = {};       // likewise, on their host
  ProbeResult io_cluster = {};     // in the first of them
  ProbeResult io_host = {};        // likewise, on its host
  double mpi_latency_ratio = 0;    // above 1: the cluster is slower
  double mpi_bandwidth_ratio = 0;  // below 1: the cluster is slower
  double io_ratio = 0;             // below 1: the cluster is slower
  std::string failure = {};        // why the measurement failed; empty = it succeeded
  NUCLEUS_FIELDS(cluster_id, project_id, measured_unix_s, mpi_cluster, mpi_host, io_cluster,
                 io_host, mpi_latency_ratio, mpi_bandwidth_ratio, io_ratio, failure);
};

/// Measures a cluster with at least two active compute nodes. The reply means accepted;
/// OverheadMeasured is emitted when the measurement has ended.
struct MeasureCluster {
  static constexpr std::string_view topic = "overhead.measure-cluster";
  using Reply = Done;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// The cluster's last report; `not_found` if it was never measured.
struct GetReport {
  static constexpr std::string_view topic = "overhead.get-report";
  using Reply = OverheadReport;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// Event: a measurement succeeded or failed.
struct OverheadMeasured {
  static constexpr std::string_view topic = "overhead.measured";
  OverheadReport report = {};
  NUCLEUS_FIELDS(report);
};

}  // namespace nucleus::msg

// The overhead service measures MPI and I/O in a cluster, then on its host, and keeps the ratios.
// A cluster has one measurement at a time, and its host is measured after it, so that neither
// disturbs the other. Runs on the service's loop.
#pragma once

#include <memory>
#include <set>

#include "core/runtime/runtime.hpp"
#include "messages/overhead.hpp"
#include "services/overhead/config.hpp"
#include "services/overhead/metrics.hpp"
#include "services/overhead/selection.hpp"

namespace nucleus::overhead {

class Service {
 public:
  Service(core::Runtime& runtime, Config config);

 private:
  struct Measurement {
    msg::OverheadReport report = {};
    std::vector<msg::Node> nodes = {};  // of the cluster, as read so far
    msg::NodeStatuses statuses = {};    // of its nodes, as read so far
    Selection selection = {};
  };
  using MeasurementPtr = std::shared_ptr<Measurement>;

  core::Result<msg::Done> measure_cluster(const msg::MeasureCluster& request,
                                          core::Context& context);
  core::Result<msg::OverheadReport> get_report(const msg::GetReport& request,
                                               core::Context& context);
  core::Result<void> handle_cluster_removed(const msg::ClusterRemoved& event,
                                            core::Context& context);
  void load();
  void begin_pending(core::Context& context);
  void find_nodes(const MeasurementPtr& measurement, std::string after = {});
  void select(const MeasurementPtr& measurement, std::string after = {});
  void run_probes(const MeasurementPtr& measurement, std::size_t step);
  void finish(const MeasurementPtr& measurement, const std::string& failure);

  core::Runtime& runtime_;
  const Config config_;
  Metrics metrics_;
  std::set<msg::ClusterId> in_progress_ = {};
};

}  // namespace nucleus::overhead

// The overhead service: measures MPI and I/O inside a cluster, then the same on its host, and keeps
// the ratio. One measurement of a cluster at a time; the host's is taken last, when the cluster's
// has ended, so that neither disturbs the other.
#pragma once

#include <set>

#include "core/runtime/runtime.hpp"
#include "messages/overhead.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "services/overhead/config.hpp"
#include "services/overhead/metrics.hpp"

namespace nucleus::overhead {

class Service {
 public:
  Service(core::Runtime& runtime, Config config);

 private:
  struct Measurement {
    msg::OverheadReport report = {};
    std::vector<msg::Node> computes = {};     // of the cluster
    std::vector<msg::NodeStatus> nodes = {};  // the two that are measured
    std::vector<msg::Peer> peers = {};
  };
  using MeasurementPtr = std::shared_ptr<Measurement>;

  core::Result<msg::Done> measure_cluster(const msg::MeasureCluster& request,
                                          core::Context& context);
  core::Result<msg::OverheadReport> get_report(const msg::GetReport& request,
                                               core::Context& context);
  core::Result<void> forget(const msg::ClusterRemoved& event, core::Context& context);
  void begin_wanted(core::Context& context);
  void find_nodes(const MeasurementPtr& measurement, std::string after = {});
  void choose_nodes(const MeasurementPtr& measurement, const msg::NodeStatuses& states);
  void run_probes(const MeasurementPtr& measurement, std::size_t step);
  void finish(const MeasurementPtr& measurement, const std::string& failure);

  core::Runtime& runtime_;
  Config config_;
  Metrics metrics_;
  std::set<msg::ClusterId> under_way_ = {};
};

}  // namespace nucleus::overhead

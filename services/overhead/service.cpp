#include "services/overhead/service.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/log/log.hpp"
#include "services/overhead/keys.hpp"
#include "services/overhead/ratios.hpp"

namespace nucleus::overhead {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds begin_interval{200};

struct Step {
  msg::Probe probe;
  bool is_in_cluster;
  msg::ProbeResult msg::OverheadReport::*result;
};
constexpr std::array steps{
    Step{msg::Probe::mpi_pingpong, true, &msg::OverheadReport::mpi_cluster},
    Step{msg::Probe::fio_random_read, true, &msg::OverheadReport::io_cluster},
    Step{msg::Probe::mpi_pingpong, false, &msg::OverheadReport::mpi_host},
    Step{msg::Probe::fio_random_read, false, &msg::OverheadReport::io_host},
};

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : runtime_{runtime}, config_{config}, metrics_{runtime.metrics} {
  runtime_.store.on_loaded([this] { load(); });
  runtime_.bus.serve<msg::MeasureCluster>(*this, &Service::measure_cluster);
  runtime_.bus.serve<msg::GetReport>(*this, &Service::get_report);
  runtime_.bus.subscribe<msg::ClusterRemoved>(*this, &Service::handle_cluster_removed);
  runtime_.bus.every(begin_interval, *this, &Service::begin_pending);
}

void Service::load() {
  in_progress_.clear();
  msg::OverheadReport newest;
  runtime_.store.for_each<StoredReport>(keys::reports(), [&](const StoredReport& stored) {
    const auto& report = stored.report;
    if (report.failure.empty() && report.measured_unix_s > newest.measured_unix_s) newest = report;
  });
  if (newest.measured_unix_s) metrics_.show(newest);
}

core::Result<msg::Done> Service::measure_cluster(const msg::MeasureCluster& request,
                                                 core::Context& context) {
  if (auto broken = msg::check_name("cluster_id", request.cluster_id.value))
    return std::unexpected(*broken);
  auto tx = runtime_.store.begin(context);
  const auto key = keys::report(request.cluster_id);
  const auto* known = tx.read(key);
  StoredReport stored = known ? *known : StoredReport{.cluster_id = request.cluster_id};
  stored.is_pending = true;
  tx.write(key, std::move(stored));
  return tx.commit(msg::Done{});
}

core::Result<msg::OverheadReport> Service::get_report(const msg::GetReport& request,
                                                      core::Context&) {
  const auto* stored = runtime_.store.read(keys::report(request.cluster_id));
  if (!stored || !stored->report.measured_unix_s)
    return core::refuse(ErrorCode::not_found,
                        "no measurement of cluster " + msg::shown(request.cluster_id.value),
                        "cluster_id");
  return stored->report;
}

core::Result<void> Service::handle_cluster_removed(const msg::ClusterRemoved& event,
                                                   core::Context& context) {
  auto tx = runtime_.store.begin(context);
  tx.remove(keys::report(event.cluster.cluster_id));
  return tx.commit();
}

/// Begins accepted measurements, including those from before a restart.
void Service::begin_pending(core::Context&) {
  std::vector<msg::ClusterId> pending;
  runtime_.store.for_each<StoredReport>(keys::reports(), [&](const StoredReport& stored) {
    if (stored.is_pending && !in_progress_.contains(stored.cluster_id))
      pending.push_back(stored.cluster_id);
  });
  for (const auto& cluster_id : pending) {
    in_progress_.insert(cluster_id);
    auto measurement = std::make_shared<Measurement>();
    measurement->report.cluster_id = cluster_id;
    find_nodes(measurement);
  }
}

void Service::find_nodes(const MeasurementPtr& measurement, std::string after) {
  runtime_.bus.call(
      msg::ListNodes{.viewer = {.is_operator = true},
                     .cluster_id = measurement->report.cluster_id,
                     .page = {.limit = msg::page_entries_max, .after = std::move(after)}},
      {}, [this, measurement](const core::Result<msg::Nodes>& page) {
        if (!page) return finish(measurement, page.error().detail);
        measurement->report.project_id = page->cluster.project_id;
        std::ranges::copy(page->nodes, std::back_inserter(measurement->nodes));
        if (!page->next.empty()) return find_nodes(measurement, page->next);
        select(measurement);
      });
}

void Service::select(const MeasurementPtr& measurement, std::string after) {
  runtime_.bus.call(
      msg::ListNodeStatuses{.viewer = {.is_operator = true},
                            .cluster_id = measurement->report.cluster_id,
                            .page = {.limit = msg::page_entries_max, .after = std::move(after)}},
      {}, [this, measurement](const core::Result<msg::NodeStatuses>& page) {
        if (!page) return finish(measurement, page.error().detail);
        std::ranges::copy(page->nodes, std::back_inserter(measurement->statuses.nodes));
        if (!page->next.empty()) return select(measurement, page->next);
        auto selection = select_nodes(measurement->nodes, measurement->statuses);
        if (!selection) return finish(measurement, selection.error().detail);
        measurement->selection = std::move(*selection);
        run_probes(measurement, 0);
      });
}

void Service::run_probes(const MeasurementPtr& measurement, std::size_t step) {
  if (step == steps.size()) return finish(measurement, "");
  const auto& [probe, is_in_cluster, result] = steps[step];
  const auto& node = measurement->selection.nodes.front();
  const core::CallOptions options{.to = "provisioner/" + node.host_id.value,
                                  .deadline = config_.probe_deadline};
  auto next = [this, measurement, step,
               result = result](const core::Result<msg::ProbeResult>& measured) {
    if (!measured) return finish(measurement, measured.error().detail);
    if (const auto broken = msg::check(*measured)) return finish(measurement, broken->detail);
    measurement->report.*result = *measured;
    run_probes(measurement, step + 1);
  };
  if (is_in_cluster)
    runtime_.bus.call(
        msg::ProbeNode{
            .node_id = node.node_id, .probe = probe, .peers = measurement->selection.peers},
        options, std::move(next));
  else
    runtime_.bus.call(msg::ProbeHost{.host_id = node.host_id, .probe = probe}, options,
                      std::move(next));
}

void Service::finish(const MeasurementPtr& measurement, const std::string& failure) {
  auto& report = measurement->report;
  in_progress_.erase(report.cluster_id);
  auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  const auto key = keys::report(report.cluster_id);
  if (!tx.read(key)) return;  // the cluster was removed during the measurement
  report.failure = failure;
  report.measured_unix_s = context.now_unix_s();
  set_ratios(report);
  metrics_.count(report);
  if (failure.empty()) metrics_.show(report);
  core::log::info("overhead_measured",
                  {{"cluster", report.cluster_id.value}, {"failure", report.failure}});
  tx.write(key, StoredReport{.cluster_id = report.cluster_id, .report = report});
  tx.emit(msg::OverheadMeasured{report});
  (void)tx.commit();  // if it fails, the measurement is still pending and is repeated
}

}  // namespace nucleus::overhead

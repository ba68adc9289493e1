#include "services/overhead/service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log/log.hpp"
#include "services/overhead/cluster_nodes.hpp"
#include "services/overhead/keys.hpp"
#include "services/overhead/ratios.hpp"

namespace nucleus::overhead {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds begin_interval{200};
constexpr std::int64_t ms_per_s = 1'000;
constexpr std::size_t id_digits = 8;

/// Whether a run that failed so ends the whole measurement: its node or host is lost. Otherwise
/// only its tool has no figures.
bool is_lost(ErrorCode code, const Turn& turn) {
  if (code == ErrorCode::internal) return false;
  if (code == ErrorCode::wrong_state) return !turn.is_native;
  return true;
}

}  // namespace

Service::Service(core::Runtime& runtime, Config config, std::optional<SigningKey> key)
    : runtime_{runtime},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      certificates_{runtime.store, config_.certificates_max, std::move(key)},
      links_{runtime, config_, metrics_} {
  runtime_.store.on_loaded([this] { load(); });
  runtime_.bus.serve<msg::MeasureCluster>(*this, &Service::measure_cluster);
  runtime_.bus.serve<msg::GetReport>(*this, &Service::get_report);
  runtime_.bus.serve<msg::GetCertificate>(*this, &Service::get_certificate);
  runtime_.bus.serve<msg::ListCertificates>(*this, &Service::list_certificates);
  runtime_.bus.serve<msg::GetSigningKey>(*this, &Service::get_signing_key);
  runtime_.bus.serve<msg::MeasureLinks>(*this, &Service::measure_links);
  runtime_.bus.serve<msg::GetLinks>(*this, &Service::get_links);
  runtime_.bus.subscribe<msg::ClusterRemoved>(*this, &Service::handle_cluster_removed);
  if (config_.check_start.count() > 0)
    runtime_.bus.subscribe<msg::ComputesetChanged>(*this, &Service::handle_computeset_changed);
  runtime_.bus.every(begin_interval, *this, &Service::begin_pending);
}

void Service::load() {
  in_progress_.clear();
  links_.drop_all();
  msg::OverheadReport newest;
  runtime_.store.for_each<StoredReport>(keys::reports(), [&](const StoredReport& stored) {
    const auto& report = stored.report;
    if (report.failure.empty() && report.measured_unix_s > newest.measured_unix_s) newest = report;
  });
  if (newest.measured_unix_s) metrics_.show(newest);
  // In the order of time within a cluster; the class of a certificate shows its last one.
  runtime_.store.for_each<StoredCertificate>(
      keys::certificates(),
      [&](const StoredCertificate& stored) { metrics_.show(stored.certificate); });
}

core::Result<msg::Done> Service::measure_cluster(const msg::MeasureCluster& request,
                                                 core::Context& context) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  auto tx = runtime_.store.begin(context);
  const auto key = keys::report(request.cluster_id);
  const auto* known = tx.read(key);
  StoredReport stored = known ? *known : StoredReport{.cluster_id = request.cluster_id};
  stored.is_pending = true;
  stored.seconds_max = request.seconds_max;
  stored.tools = request.tools;
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

core::Result<msg::Certificate> Service::get_certificate(const msg::GetCertificate& request,
                                                        core::Context&) {
  return certificates_.get(request);
}

core::Result<msg::Certificates> Service::list_certificates(const msg::ListCertificates& request,
                                                           core::Context&) {
  return certificates_.list(request);
}

core::Result<msg::SigningKey> Service::get_signing_key(const msg::GetSigningKey&, core::Context&) {
  return certificates_.public_key();
}

core::Result<msg::Done> Service::measure_links(const msg::MeasureLinks& request,
                                               core::Context& context) {
  return links_.accept(request, context);
}

core::Result<msg::LinksReport> Service::get_links(const msg::GetLinks& request, core::Context&) {
  return links_.get(request);
}

core::Result<void> Service::handle_cluster_removed(const msg::ClusterRemoved& event,
                                                   core::Context& context) {
  in_progress_.erase(event.cluster.cluster_id);
  auto tx = runtime_.store.begin(context);
  tx.remove(keys::report(event.cluster.cluster_id));
  certificates_.remove_all(tx, event.cluster.cluster_id);
  links_.remove(tx, event.cluster.cluster_id);
  return tx.commit();
}

core::Result<void> Service::handle_computeset_changed(const msg::ComputesetChanged& event,
                                                      core::Context& context) {
  return links_.check_start(event.computeset, context);
}

/// Begins accepted measurements, including those from before a restart: one at a time in a cluster.
void Service::begin_pending(core::Context& context) {
  std::vector<StoredReport> pending;
  runtime_.store.for_each<StoredReport>(keys::reports(), [&](const StoredReport& stored) {
    if (stored.is_pending && !in_progress_.contains(stored.cluster_id) &&
        !links_.is_in_progress(stored.cluster_id))
      pending.push_back(stored);
  });
  for (const auto& stored : pending) {
    const std::int64_t seconds =
        stored.seconds_max > 0 ? stored.seconds_max : config_.measure_s_max;
    auto measurement = std::make_shared<Measurement>();
    measurement->certificate = {.cluster_id = stored.cluster_id,
                                .begun_unix_s = context.now_unix_s(),
                                .pairs_max = static_cast<std::uint32_t>(config_.limits.pairs_max)};
    measurement->end_unix_ms = context.now_unix_ms() + seconds * ms_per_s;
    measurement->tools = stored.tools.empty() ? config_.tools : stored.tools;
    in_progress_[stored.cluster_id] = measurement;
    find_nodes(measurement);
  }
  for (const auto& cluster_id : links_.pending())
    if (!in_progress_.contains(cluster_id)) links_.begin(cluster_id);
}

void Service::find_nodes(const MeasurementPtr& measurement) {
  read_nodes(runtime_.bus, measurement->certificate.cluster_id,
             [this, measurement](const core::Result<ClusterNodes>& found) {
               if (!found) return finish(measurement, found.error().detail);
               measurement->certificate.project_id = found->project_id;
               auto selection = select_nodes(found->nodes, found->statuses);
               if (!selection) return finish(measurement, selection.error().detail);
               measurement->selection = std::move(*selection);
               begin_runs(measurement);
             });
}

void Service::begin_runs(const MeasurementPtr& measurement) {
  auto& certificate = measurement->certificate;
  for (const auto& node : measurement->selection.nodes) certificate.hosts.push_back(node.host_id);
  for (const auto& peer : measurement->selection.peers) certificate.nodes.push_back(peer.name);
  certificate.is_single_host = std::ranges::all_of(
      certificate.hosts, [&](const auto& host) { return host == certificate.hosts.front(); });
  measurement->campaign.emplace(config_.limits, certificate.is_single_host, measurement->tools);
  run_next(measurement);
}

/// False if its cluster was removed: another one of its name has nothing to do with it.
bool Service::is_in_progress(const MeasurementPtr& measurement) const {
  const auto found = in_progress_.find(measurement->certificate.cluster_id);
  return found != in_progress_.end() && found->second == measurement;
}

void Service::run_next(const MeasurementPtr& measurement) {
  if (!is_in_progress(measurement)) return;
  const bool is_time_over = runtime_.loop.unix_ms() >= measurement->end_unix_ms;
  const auto turn = measurement->campaign->next(is_time_over);
  if (!turn) return finish(measurement, measurement->campaign->failure());
  const auto& certificate = measurement->certificate;
  const auto& node = measurement->selection.nodes.front();
  std::vector<std::string> peers;
  if (turn->tool->place == msg::Place::node_pair) {
    if (!turn->is_native)
      peers = certificate.nodes;
    else if (!certificate.is_single_host)
      for (const auto& host : certificate.hosts) peers.push_back(host.value);
  }
  runtime_.bus.call(
      msg::RunMeasurement{.host_id = node.host_id,
                          .node_id = turn->is_native ? msg::NodeId{} : node.node_id,
                          .tool = std::string(turn->tool->name),
                          .peers = std::move(peers)},
      {.to = "provisioner/" + node.host_id.value, .deadline = config_.probe_deadline},
      [this, measurement, turn = *turn](const core::Result<msg::MeasurementRun>& run) {
        take_run(measurement, turn, run);
      });
}

void Service::take_run(const MeasurementPtr& measurement, const Turn& turn,
                       const core::Result<msg::MeasurementRun>& run) {
  auto& campaign = *measurement->campaign;
  if (!run) {
    const auto& error = run.error();
    if (is_lost(error.code, turn)) return finish(measurement, error.detail);
    campaign.refuse(error.detail);
  } else if (const auto broken = msg::check(*run)) {
    campaign.refuse(broken->detail);
  } else {
    campaign.add(*run);
    if (!turn.is_native) measurement->certificate.accelerator = run->conditions.accelerator;
  }
  run_next(measurement);
}

/// A measurement that failed leaves a report with the reason, and no certificate.
void Service::finish(const MeasurementPtr& measurement, const std::string& failure) {
  if (!is_in_progress(measurement)) return;
  auto& certificate = measurement->certificate;
  in_progress_.erase(certificate.cluster_id);
  auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  const auto key = keys::report(certificate.cluster_id);
  const auto* before = tx.read(key);
  if (!before) return;  // the cluster was removed during the measurement
  // Who waits for a newer report must see that this is one.
  const auto not_before_s = before->report.measured_unix_s + 1;
  certificate.failure = failure;
  certificate.ended_unix_s = context.now_unix_s();
  if (failure.empty()) {
    certificate.figures = measurement->campaign->figures();
    certificate.is_single_machine =
        std::ranges::any_of(certificate.figures, [](const msg::Figure& figure) {
          return !figure.native_ranks.empty() && machines_of(figure.native_ranks) == 1 &&
                 figure.native_ranks.size() > 1;
        });
    certificate.certificate_id =
        fmt::format("{:010}-{}", certificate.ended_unix_s, context.new_id().substr(0, id_digits));
    certificates_.sign(certificate);
    certificates_.keep(tx, certificate);
    metrics_.show(certificate);
    metrics_.count(certificate);
  }
  auto report = report_of(certificate);
  report.measured_unix_s = std::max(report.measured_unix_s, not_before_s);
  metrics_.count(report);
  if (failure.empty()) metrics_.show(report);
  core::log::info("overhead_measured",
                  {{"cluster", report.cluster_id.value}, {"failure", report.failure}});
  tx.write(key, StoredReport{.cluster_id = report.cluster_id, .report = report});
  tx.emit(msg::OverheadMeasured{std::move(report)});
  (void)tx.commit();  // if it fails, the measurement is still pending and is repeated
}

}  // namespace nucleus::overhead

#include "services/overhead/link_runs.hpp"

#include <algorithm>

#include "core/log/log.hpp"
#include "services/overhead/cluster_nodes.hpp"
#include "services/overhead/keys.hpp"
#include "services/overhead/link_report.hpp"

namespace nucleus::overhead {

namespace {

constexpr std::int64_t repeat_interval_ms = 5'000;

}  // namespace

core::Result<msg::Done> LinkRuns::accept(const msg::MeasureLinks& request, core::Context& context) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  auto tx = runtime_.store.begin(context);
  const auto key = keys::links(request.cluster_id);
  const auto* known = tx.read(key);
  StoredLinks stored = known ? *known : StoredLinks{.cluster_id = request.cluster_id};
  stored.is_pending = true;
  stored.try_until_unix_ms = 0;
  tx.write(key, std::move(stored));
  not_before_ms_.erase(request.cluster_id);
  return tx.commit(msg::Done{});
}

core::Result<void> LinkRuns::check_start(const msg::Computeset& computeset,
                                         core::Context& context) {
  if (computeset.state != msg::ComputesetState::running ||
      computeset.nodes.size() < selected_nodes_min)
    return {};
  auto tx = runtime_.store.begin(context);
  const auto key = keys::links(computeset.cluster_id);
  const auto* known = tx.read(key);
  StoredLinks stored = known ? *known : StoredLinks{.cluster_id = computeset.cluster_id};
  if (computeset.start_unix_s <= stored.checked_start_unix_s) return {};
  stored.checked_start_unix_s = computeset.start_unix_s;
  stored.is_pending = true;
  stored.try_until_unix_ms = context.now_unix_ms() + config_.check_start.count();
  tx.write(key, std::move(stored));
  return tx.commit();
}

core::Result<msg::LinksReport> LinkRuns::get(const msg::GetLinks& request) const {
  const auto* stored = runtime_.store.read(keys::links(request.cluster_id));
  if (!stored || !stored->report.measured_unix_s)
    return core::refuse(
        core::ErrorCode::not_found,
        "the links of cluster " + msg::shown(request.cluster_id.value) + " were never measured",
        "cluster_id");
  return stored->report;
}

void LinkRuns::remove(core::Transaction& tx, const msg::ClusterId& cluster_id) {
  in_progress_.erase(cluster_id);
  not_before_ms_.erase(cluster_id);
  tx.remove(keys::links(cluster_id));
}

std::vector<msg::ClusterId> LinkRuns::pending() const {
  std::vector<msg::ClusterId> clusters;
  runtime_.store.for_each<StoredLinks>(keys::all_links(), [&](const StoredLinks& stored) {
    const auto repeated = not_before_ms_.find(stored.cluster_id);
    const bool is_early =
        repeated != not_before_ms_.end() && runtime_.loop.steady_ms() < repeated->second;
    if (stored.is_pending && !is_early && !is_in_progress(stored.cluster_id))
      clusters.push_back(stored.cluster_id);
  });
  return clusters;
}

void LinkRuns::begin(const msg::ClusterId& cluster_id) {
  auto run = std::make_shared<Run>(Run{.cluster_id = cluster_id});
  in_progress_[cluster_id] = run;
  read_nodes(runtime_.bus, cluster_id, [this, run](const core::Result<ClusterNodes>& found) {
    if (!found) return finish(run, std::unexpected(found.error()));
    run->project_id = found->project_id;
    auto selection = select_nodes(found->nodes, found->statuses, msg::ranks_max + 1);
    if (!selection) return finish(run, std::unexpected(selection.error()));
    if (selection->nodes.size() > msg::ranks_max)
      return finish(run, core::refuse(core::ErrorCode::wrong_state,
                                      "the links of at most 64 active compute nodes are measured"));
    run->selection = std::move(*selection);
    run_on_nodes(run);
  });
}

void LinkRuns::run_on_nodes(const RunPtr& run) {
  const auto& node = run->selection.nodes.front();
  std::vector<std::string> names;
  for (const auto& peer : run->selection.peers) names.push_back(peer.name);
  runtime_.bus.call(
      msg::RunLinks{.host_id = node.host_id, .node_id = node.node_id, .peers = std::move(names)},
      {.to = "provisioner/" + node.host_id.value, .deadline = config_.probe_deadline},
      [this, run](const core::Result<msg::LinksRun>& result) {
        if (!result) return finish(run, std::unexpected(result.error()));
        finish(run, report_of_links(run->selection, *result, config_.slow_link_permille));
      });
}

/// A run that failed leaves a report with the reason. One whose cluster was removed leaves nothing.
void LinkRuns::finish(const RunPtr& run, core::Result<msg::LinksReport> result) {
  const auto found = in_progress_.find(run->cluster_id);
  if (found == in_progress_.end() || found->second != run) return;
  in_progress_.erase(found);
  auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  const auto key = keys::links(run->cluster_id);
  const auto* before = tx.read(key);
  if (!before) return;
  if (!result && context.now_unix_ms() < before->try_until_unix_ms) {
    not_before_ms_[run->cluster_id] = runtime_.loop.steady_ms() + repeat_interval_ms;
    return;
  }
  not_before_ms_.erase(run->cluster_id);
  auto report = result ? std::move(*result) : msg::LinksReport{.failure = result.error().detail};
  report.cluster_id = run->cluster_id;
  report.project_id = run->project_id;
  // Who waits for a newer report must see that this is one.
  report.measured_unix_s = std::max(context.now_unix_s(), before->report.measured_unix_s + 1);
  const auto slow = std::ranges::count(report.links, true, &msg::Link::is_slow);
  core::log::info("links_measured", {{"cluster", report.cluster_id.value},
                                     {"slow", std::to_string(slow)},
                                     {"failure", report.failure}});
  metrics_.count(report);
  tx.emit(msg::LinksMeasured{.cluster_id = report.cluster_id,
                             .project_id = report.project_id,
                             .links = static_cast<std::uint32_t>(report.links.size()),
                             .slow_links = static_cast<std::uint32_t>(slow),
                             .shared_node = report.shared_node,
                             .failure = report.failure});
  tx.write(key, StoredLinks{.cluster_id = run->cluster_id,
                            .report = std::move(report),
                            .checked_start_unix_s = before->checked_start_unix_s});
  (void)tx.commit();  // if it fails, the run is still pending and is repeated
}

}  // namespace nucleus::overhead

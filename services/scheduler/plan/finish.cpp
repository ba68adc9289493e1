#include "services/scheduler/plan/finish.hpp"

#include <algorithm>

#include "services/scheduler/plan/automatic_saves.hpp"
#include "services/scheduler/plan/completion.hpp"
#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/isolation.hpp"
#include "services/scheduler/states/computeset_state.hpp"
#include "services/scheduler/states/node_state.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

using msg::ComputesetState;

/// The unfinished computesets that a change of this plan may complete, with how many nodes each
/// still has on hosts.
std::map<msg::ComputesetId, std::int64_t> placed_by_computeset(const Draft& draft) {
  std::map<msg::ComputesetId, std::int64_t> placed;
  const auto count = [&](const StoredNode* node, std::int64_t sign) {
    if (!node || node->computeset_id == 0) return;
    const auto id = node->computeset_id;
    auto& nodes = placed.try_emplace(id, draft.view().occupancy(id).placed).first->second;
    nodes += node->host_id.empty() ? 0 : sign;
  };
  for (const auto& [node_id, node] : draft.changes().nodes) {
    count(draft.view().node(node_id), -1);
    count(node ? &*node : nullptr, 1);
  }
  for (const auto& [id, stored] : draft.changes().computesets)
    placed.try_emplace(id, draft.view().occupancy(id).placed);
  return placed;
}

void complete_vacated(Draft& draft) {
  for (const auto& [id, placed] : placed_by_computeset(draft)) {
    const auto* stored = draft.computeset(id);
    if (placed > 0 || !stored) continue;
    if (stored->computeset.state == ComputesetState::ending)
      complete(draft, id, ComputesetEvent::vacated);
    else if (stored->computeset.state == ComputesetState::hibernating)
      begin_hibernation(draft, id);
  }
}

void begin_automatic_works(Draft& draft) {
  for (auto& [id, node] : draft.changes().nodes)
    if (node) begin_automatic_work(draft, *node);
}

void update_wait(StoredNode& node) {
  if (is_moved(node)) return;
  if (is_start_failing(node) && node.wait.reason == WaitReason::start_failed) return;
  if (!is_waiting(node)) {
    node.wait = {};
  } else if (is_missing_something(node)) {
    node.wait = missing_for(node);
  } else if (node.wait.reason == WaitReason::unknown || node.wait.reason == WaitReason::ports ||
             node.wait.reason == WaitReason::volume || node.wait.reason == WaitReason::disk_work ||
             node.wait.reason == WaitReason::reservation_begins ||
             node.wait.reason == WaitReason::start_failed) {
    node.wait = {.reason = WaitReason::next_pass};
  }
}

void report_states(Draft& draft) {
  // A node's state depends on its host's.
  for (const auto& [id, host] : draft.changes().hosts) {
    const auto* before = draft.view().host(id);
    if (before && host && before->state == host->state && before->reason == host->reason &&
        before->isolation_faults == host->isolation_faults)
      continue;
    for (const auto& node_id : draft.view().nodes_on(id))
      if (draft.node(node_id)) draft.edit(node_id);
  }
  for (auto& [id, node] : draft.changes().nodes) {
    if (!node) continue;
    update_wait(*node);
    auto [state, reason] =
        reported_state(*node, node->host_id.empty() ? nullptr : draft.host(node->host_id));
    node->state = state;
    node->reason = std::move(reason);
  }
}

/// The newest steps are kept, and the first one.
void record_steps(Draft& draft) {
  for (auto& [id, stored] : draft.changes().computesets) {
    const auto& computeset = stored->computeset;
    const auto* last = stored->steps.empty() ? nullptr : &stored->steps.back();
    if (last && last->state == computeset.state && last->reason == computeset.reason) continue;
    if (stored->steps.size() == steps_max) stored->steps.erase(stored->steps.begin() + 1);
    stored->steps.push_back(
        {.unix_s = draft.now_unix_s(), .state = computeset.state, .reason = computeset.reason});
  }
}

/// It released capacity, or what it was missing has arrived.
bool may_help(const StoredNode* before, const StoredNode* node) {
  if (!before) return false;
  const bool is_freed = !before->host_id.empty() && (!node || node->host_id.empty());
  if (is_freed || !node) return is_freed;
  return (is_waiting(*node) || node->computeset_id != 0) && is_missing_something(*before) &&
         !is_missing_something(*node);
}

/// It has more capacity, or gives others another reason to wait.
bool may_help(const StoredHost* before, const StoredHost* host, const Config& config) {
  if (!before || !host) return true;
  return before->state != host->state || before->is_drained != host->is_drained ||
         is_in_doubt(*before) != is_in_doubt(*host) ||
         before->keeps_volumes != host->keeps_volumes ||
         before->batch_state.empty() != host->batch_state.empty() ||
         before->job_computeset_id != host->job_computeset_id ||
         !fits(leaving_of(*before), leaving_of(*host)) || place_of(*before) != place_of(*host) ||
         !fits(total_of(*host, config), total_of(*before, config));
}

void request_pass(Draft& draft) {
  const auto& view = draft.view();
  for (const auto& [id, node] : draft.changes().nodes)
    if (may_help(view.node(id), node ? &*node : nullptr)) return draft.want_pass();
  for (const auto& [id, host] : draft.changes().hosts)
    if (may_help(view.host(id), host ? &*host : nullptr, view.config())) return draft.want_pass();
  if (!draft.changes().reservations.empty()) draft.want_pass();
  // Others may wait for one that is cancelled.
  for (const auto& [id, stored] : draft.changes().computesets)
    if (stored->computeset.state == ComputesetState::cancelled) return draft.want_pass();
}

}  // namespace

Plan finish(Draft& draft) {
  complete_vacated(draft);
  begin_automatic_works(draft);
  record_broken_clusters(draft);
  report_states(draft);
  record_steps(draft);
  request_pass(draft);
  return std::move(draft).take();
}

}  // namespace nucleus::scheduler

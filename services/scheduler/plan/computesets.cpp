#include "services/scheduler/plan/computesets.hpp"

#include <algorithm>
#include <utility>

#include "core/assert.hpp"
#include "core/hostlist/hostlist.hpp"
#include "services/scheduler/plan/estimates.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/states/computeset_state.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using msg::ComputesetState;

namespace {

/// Nodes without a host leave the computeset, which has not started. Returns the reason; empty if
/// all have one.
std::string leave_out_unplaced(Draft& draft, StoredComputeset& stored,
                               const std::vector<msg::HostId>& hosts) {
  const auto nodes = std::exchange(stored.computeset.nodes, {});
  const auto requested = std::exchange(stored.hosts, {});
  std::vector<std::string> left_out;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!hosts[i].empty()) {
      stored.computeset.nodes.push_back(nodes[i]);
      if (!requested.empty()) stored.hosts.push_back(requested[i]);
      continue;
    }
    StoredNode& node = draft.edit(nodes[i]);
    node.computeset_id = 0;
    stored.cores -= node.size.cpus;
    stored.memory_mb -= node.size.memory_mb;
    left_out.push_back(node.definition.name);
  }
  if (left_out.empty()) return {};
  return "started with " + std::to_string(stored.computeset.nodes.size()) + " of its " +
         std::to_string(nodes.size()) + " nodes, without " + core::hostlist::collect(left_out);
}

}  // namespace

void start_computeset(Draft& draft, msg::ComputesetId id, const std::vector<msg::HostId>& hosts) {
  StoredComputeset& stored = draft.edit(id);
  auto& computeset = stored.computeset;
  NUCLEUS_ASSERT(hosts.size() == computeset.nodes.size());
  computeset.state = next_state(computeset.state, ComputesetEvent::placed);
  computeset.reason = leave_out_unplaced(draft, stored, hosts);
  computeset.predicted_start_unix_s = 0;
  stored.wait = {};
  if (is_hibernated(computeset)) {
    end_hibernation(stored, draft.now_unix_s());
  } else {
    computeset.start_unix_s = draft.now_unix_s();
    keep_wait(draft, stored);
  }
  const auto from_unix_s = stored.rates.empty() ? 0 : stored.rates.back().from_unix_s;
  stored.rates.push_back({.from_unix_s = std::max(draft.now_unix_s(), from_unix_s),
                          .cores = stored.cores,
                          .memory_mb = stored.memory_mb});
  auto node_id = computeset.nodes.begin();
  for (const auto& host_id : hosts)
    if (!host_id.empty()) {
      draft.edit(*node_id).start_failures.clear();
      place(draft, *node_id++, host_id);
    }
}

void end_computeset(Draft& draft, msg::ComputesetId id, bool is_graceful,
                    const std::string& reason) {
  StoredComputeset& stored = draft.edit(id);
  auto& computeset = stored.computeset;
  if (is_hibernated(computeset)) return discard_hibernated(draft, id, reason);
  const bool was_waiting = computeset.state == ComputesetState::submitted;
  if (was_waiting) {
    computeset.state = next_state(computeset.state, ComputesetEvent::cancelled);
    computeset.end_unix_s = draft.now_unix_s();
    computeset.reason = reason;
    computeset.predicted_start_unix_s = 0;
    stored.wait = {};
  } else if (computeset.state == ComputesetState::running ||
             computeset.state == ComputesetState::hibernating) {
    computeset.state = next_state(computeset.state, ComputesetEvent::ended);
    if (!reason.empty()) computeset.reason = reason;
    if (draft.occupancy(id).placed == 0) stored.off_unix_s = draft.now_unix_s();
  }
  for (const auto& node_id : computeset.nodes) {
    if (!draft.node(node_id)) continue;
    if (was_waiting) draft.edit(node_id).computeset_id = 0;
    stop(draft, node_id, is_graceful);
  }
}

void end_deserted(Draft& draft, msg::ComputesetId id) {
  const auto* found = draft.computeset(id);
  if (!found || found->computeset.state != ComputesetState::running || draft.occupancy(id).on > 0)
    return;
  auto& computeset = draft.edit(id).computeset;
  computeset.state = next_state(computeset.state, ComputesetEvent::ended);
  computeset.reason = "all its nodes had ended while no provisioner watched";
}

void leave_computeset(Draft& draft, const msg::NodeId& node_id) {
  if (draft.node(node_id)->is_leaving) return;  // it leaves when it is off
  const auto id = draft.node(node_id)->computeset_id;
  const auto* found = draft.computeset(id);
  if (!found || found->computeset.state == ComputesetState::ending) return;
  const std::string reason = "node " + draft.node(node_id)->definition.name + " was removed";
  const bool is_new =
      found->computeset.state == ComputesetState::submitted && found->computeset.start_unix_s == 0;
  if (is_new || found->computeset.nodes.size() == 1)
    return end_computeset(draft, id, false, reason);
  StoredComputeset& stored = draft.edit(id);
  if (is_hibernated(stored.computeset)) {
    stored.cores -= draft.node(node_id)->size.cpus;
    stored.memory_mb -= draft.node(node_id)->size.memory_mb;
  }
  auto& nodes = stored.computeset.nodes;
  const auto at = std::ranges::find(nodes, node_id) - nodes.begin();
  if (!stored.hosts.empty()) stored.hosts.erase(stored.hosts.begin() + at);
  nodes.erase(nodes.begin() + at);
  stored.computeset.reason = reason;
  draft.edit(node_id).computeset_id = 0;
}

void set_wait(Draft& draft, msg::ComputesetId id, const Wait& wait,
              std::int64_t predicted_start_unix_s) {
  const auto& before = *draft.computeset(id);
  if (before.wait == wait && before.computeset.predicted_start_unix_s == predicted_start_unix_s)
    return;
  StoredComputeset& stored = draft.edit(id);
  stored.wait = wait;
  stored.computeset.reason = text_of(wait);
  stored.computeset.predicted_start_unix_s = predicted_start_unix_s;
}

Plan plan_walltime_ends(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& [end_unix_s, id] : view.walltime_ends()) {
    if (end_unix_s > draft.now_unix_s()) break;
    end_computeset(draft, id, true, "its walltime is over");
  }
  return finish(draft);
}

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/idle.hpp"

#include <algorithm>

#include "services/scheduler/plan/finish.hpp"

namespace nucleus::scheduler {

namespace {

/// Since when all nodes are idle: 0 = one is not. None if a host has not said so yet.
std::optional<std::int64_t> idle_since_unix_s(const View& view, const Heartbeats& heartbeats,
                                              const msg::Computeset& computeset) {
  std::int64_t since_unix_s = 0;
  for (const auto& id : computeset.nodes) {
    const auto* node = view.node(id);
    if (!node || node->host_id.empty() || !node->is_grant_on) return 0;
    if (!heartbeats.has_reported(node->host_id)) return std::nullopt;
    const auto node_since = heartbeats.idle_since_unix_s(node->host_id, id, node->epoch);
    if (!node_since) return 0;
    since_unix_s = std::max(since_unix_s, *node_since);
  }
  return since_unix_s;
}

}  // namespace

Plan plan_idle(const View& view, const Heartbeats& heartbeats, std::int64_t now_unix_ms) {
  const auto notice_s = view.config().idle_notice_s;
  Draft draft{view, now_unix_ms};
  for (const auto id : view.active()) {
    const auto& computeset = view.computeset(id)->computeset;
    const bool is_running = computeset.state == msg::ComputesetState::running;
    const bool was_idle = computeset.idle_since_unix_s != 0;
    const auto since_unix_s = idle_since_unix_s(view, heartbeats, computeset);
    if (!is_running || notice_s == 0 || !since_unix_s) continue;
    const bool is_idle = *since_unix_s != 0 && draft.now_unix_s() - *since_unix_s >= notice_s;
    if (is_idle && !was_idle) draft.edit(id).computeset.idle_since_unix_s = *since_unix_s;
    if (*since_unix_s == 0 && was_idle) draft.edit(id).computeset.idle_since_unix_s = 0;
  }
  return finish(draft);
}

}  // namespace nucleus::scheduler

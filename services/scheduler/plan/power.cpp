#include "services/scheduler/plan/power.hpp"

#include <set>

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/leaving.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;
using msg::PowerAction;

namespace {

core::Result<void> power_on(Draft& draft, const msg::NodeId& id) {
  const auto& before = *draft.node(id);
  if (auto signed_ = check_acknowledged(draft.view(), before.definition.project_id); !signed_)
    return signed_;
  if (before.is_leaving) return core::refuse(ErrorCode::wrong_state, is_leaving_text(before));
  const bool is_on = !before.host_id.empty() && before.is_grant_on;
  if (is_on || before.is_desired_on) {
    draft.edit(id).is_desired_on = true;
    return {};
  }
  draft.edit(id).start_failures.clear();
  const bool is_to_wait = !before.host_id.empty() || is_missing_something(before);
  draft.edit(id).is_desired_on = true;
  // While it still runs, its room and its price are those it was placed with.
  if (!before.host_id.empty()) return {};
  if (auto resized = resize_node(draft, id); !resized) return resized;
  if (is_to_wait) return {};
  const Wait wait = place_node(draft, id);
  if (wait.reason == WaitReason::unknown) return {};
  // Hosts that have just started check their isolation within seconds.
  if (wait.reason != WaitReason::hosts_in_doubt)
    return core::refuse(ErrorCode::no_capacity, text_of(wait));
  draft.edit(id).wait = wait;
  return {};
}

core::Result<void> restart_running(Draft& draft, const msg::NodeId& id, bool is_reset) {
  const auto& node = *draft.node(id);
  if (node.host_id.empty() || !node.is_grant_on)
    return core::refuse(ErrorCode::wrong_state, "node " + node.definition.name + " is not running");
  restart(draft, id, is_reset);
  return {};
}

core::Result<void> power(Draft& draft, const StoredNode& node, PowerAction action) {
  const auto& id = node.definition.node_id;
  if (node.definition.kind == msg::NodeKind::compute) {
    const auto* stored = draft.view().computeset(node.computeset_id);
    if (!stored || stored->computeset.state != ComputesetState::running)
      return core::refuse(ErrorCode::wrong_state,
                          "Compute is not a member of an active computeset");
  }
  switch (action) {
    case PowerAction::poweron:
      return power_on(draft, id);
    case PowerAction::poweroff:
    case PowerAction::shutdown:
      stop(draft, id, action == PowerAction::shutdown);
      return {};
    case PowerAction::reboot:
    case PowerAction::reset:
      return restart_running(draft, id, action == PowerAction::reset);
    case PowerAction::unknown:
      break;
  }
  return core::refuse(ErrorCode::invalid_argument, "no such power action", "action");
}

}  // namespace

core::Result<Plan> plan_power_node(const View& view, const msg::PowerNode& request,
                                   std::int64_t now_unix_ms) {
  const auto found = find_node(view, request.viewer, request.node);
  if (!found) return std::unexpected(found.error());
  Draft draft{view, now_unix_ms};
  if (auto done = power(draft, **found, request.action); !done)
    return std::unexpected(done.error());
  return finish(draft);
}

core::Result<Plan> plan_power_nodes(const View& view, const msg::PowerNodes& request,
                                    std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  if (auto cluster = find_cluster(view, request.viewer, request.cluster_id); !cluster)
    return std::unexpected(cluster.error());
  Draft draft{view, now_unix_ms};
  std::set<std::string> seen;
  for (const auto& name : request.nodes) {
    const auto* node = view.node_named(request.cluster_id, name);
    if (!node)
      return core::refuse(ErrorCode::not_found, "no such node: " + msg::shown(name), "nodes");
    if (!seen.insert(name).second)
      return core::refuse(ErrorCode::invalid_argument, "a node is named twice", "nodes");
    if (auto done = power(draft, *node, request.action); !done)
      return core::refuse(done.error().code, name + ": " + done.error().detail,
                          done.error().field.empty() ? "nodes" : done.error().field);
  }
  return finish(draft);
}

core::Result<Plan> plan_power_computeset(const View& view, const msg::PowerComputeset& request,
                                         std::int64_t now_unix_ms) {
  const auto id = request.computeset_id;
  const auto* stored = view.computeset(id);
  if (!is_computeset_visible(view, request.viewer, id))
    return std::unexpected(no_such_computeset(id));
  Draft draft{view, now_unix_ms};
  switch (request.action) {
    case PowerAction::poweroff:
    case PowerAction::shutdown:
      if (stored) end_computeset(draft, id, request.action == PowerAction::shutdown, "");
      return finish(draft);
    case PowerAction::reboot:
    case PowerAction::reset:
      if (!stored || stored->computeset.state != ComputesetState::running)
        return core::refuse(ErrorCode::wrong_state,
                            "computeset " + std::to_string(id) + " is not running");
      for (const auto& node_id : stored->computeset.nodes)
        if (draft.node(node_id)->is_grant_on)
          restart(draft, node_id, request.action == PowerAction::reset);
      return finish(draft);
    case PowerAction::poweron:
    case PowerAction::unknown:
      break;
  }
  return core::refuse(ErrorCode::invalid_argument, "no such action on a computeset", "action");
}

}  // namespace nucleus::scheduler

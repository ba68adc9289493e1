#include "services/scheduler/plan/start.hpp"

#include <set>

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/states/computeset_state.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;

namespace {

using Nodes = std::vector<const StoredNode*>;

/// The node, if it may be in a new computeset of the cluster.
core::Result<const StoredNode*> free_compute(const View& view, const msg::ClusterId& cluster_id,
                                             const msg::NodeId& id) {
  const auto* node = view.node(id);
  if (!node || node->definition.cluster_id != cluster_id || node->is_removed)
    return core::refuse(ErrorCode::invalid_argument, "a node is not of this cluster", "computes");
  if (node->definition.kind != msg::NodeKind::compute)
    return core::refuse(ErrorCode::invalid_argument,
                        node->definition.name + " is not a compute node", "computes");
  if (node->computeset_id == 0) return node;
  const auto state = view.computeset(node->computeset_id)->computeset.state;
  return core::refuse(ErrorCode::invalid_argument,
                      node->definition.name + " is in computeset " +
                          std::to_string(node->computeset_id) + " (" +
                          std::string(msg::name_of(state)) + ")",
                      "computes");
}

core::Result<Nodes> named_nodes(const View& view, const msg::StartComputeset& request) {
  Nodes nodes;
  std::set<msg::NodeId> seen;
  for (const auto& id : request.nodes) {
    if (!seen.insert(id).second)
      return core::refuse(ErrorCode::invalid_argument, "a node is named twice", "computes");
    auto node = free_compute(view, request.cluster_id, id);
    if (!node) return std::unexpected(node.error());
    nodes.push_back(*node);
  }
  return nodes;
}

/// The first free nodes by index.
core::Result<Nodes> free_nodes(const View& view, const msg::StartComputeset& request) {
  Nodes nodes;
  std::uint32_t free_count = 0;
  for (const auto& [index, id] : *view.nodes_of(request.cluster_id)) {
    const auto node = free_compute(view, request.cluster_id, id);
    if (!node || (*node)->state == msg::NodeState::active) continue;
    ++free_count;
    if (nodes.size() < request.count) nodes.push_back(*node);
  }
  if (request.count == 0 || nodes.size() < request.count)
    return core::refuse(ErrorCode::invalid_argument,
                        "There are " + std::to_string(free_count) +
                            " nodes available for starting. Requested number should be greater "
                            "than zero.",
                        "count");
  return nodes;
}

core::Result<void> check_request(const View& view, const msg::StartComputeset& request) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  if (!view.nodes_of(request.cluster_id))
    return core::refuse(ErrorCode::not_found,
                        "no such cluster: " + msg::shown(request.cluster_id.value), "cluster");
  return {};
}

}  // namespace

core::Result<void> check_acknowledged(const View& view, const msg::ProjectId& project_id) {
  const auto* missing = view.unacknowledged(project_id);
  if (!missing) return {};
  return core::refuse(
      ErrorCode::wrong_state,
      "Project " + msg::shown(project_id.value) + " may power nothing on: " + missing->reason,
      "project_id");
}

core::Result<Plan> plan_start(const View& view, Backend& backend,
                              const msg::StartComputeset& request, std::int64_t now_unix_ms) {
  if (auto checked = check_request(view, request); !checked)
    return std::unexpected(checked.error());
  const auto nodes = request.nodes.empty() ? free_nodes(view, request) : named_nodes(view, request);
  if (!nodes) return std::unexpected(nodes.error());
  const auto& project_id = nodes->front()->definition.project_id;
  if (auto signed_ = check_acknowledged(view, project_id); !signed_)
    return std::unexpected(signed_.error());
  const auto allocation_id = pick_allocation(view, request);
  if (!allocation_id) return std::unexpected(allocation_id.error());
  for (const auto& host_id : request.hosts)
    if (!view.host(host_id))
      return core::refuse(ErrorCode::invalid_argument, "no such host: " + msg::shown(host_id.value),
                          "hosts");

  Draft draft{view, now_unix_ms};
  const std::int64_t id = view.computeset_count() + 1;
  StoredComputeset stored{
      .computeset = {.computeset_id = id,
                     .cluster_id = request.cluster_id,
                     .project_id = project_id,
                     .state = next_state(ComputesetState::unknown, ComputesetEvent::accepted),
                     .allocation_id = *allocation_id,
                     .walltime_mins =
                         request.walltime_mins ? request.walltime_mins : msg::walltime_default_mins,
                     .created_unix_s = draft.now_unix_s()},
      .hosts = request.hosts};
  for (const auto* node : *nodes) {
    stored.computeset.nodes.push_back(node->definition.node_id);
    stored.cores += node->definition.cpus;
  }
  const auto core_s = stored.cores * stored.computeset.walltime_mins * 60;
  if (auto allowed = check_allocation(draft, *allocation_id, core_s); !allowed)
    return std::unexpected(allowed.error());

  draft.changes().computeset_count = id;
  draft.changes().computesets[id] = std::move(stored);
  for (const auto* each : *nodes) {
    StoredNode& node = draft.edit(each->definition.node_id);
    node.computeset_id = id;
    node.size = size_of(node.definition);
  }
  backend.submit(draft, id);
  return finish(draft);
}

}  // namespace nucleus::scheduler

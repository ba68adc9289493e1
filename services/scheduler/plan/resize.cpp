#include "services/scheduler/plan/resize.hpp"

#include <algorithm>
#include <set>

#include "core/hostlist/hostlist.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/leaving.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/queue.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;

namespace {

constexpr std::size_t rates_max = 2'000;      // of one computeset: it does not grow any more
constexpr std::size_t shown_bytes_max = 256;  // of names in a reason

core::Result<const StoredComputeset*> find_running(const View& view, const msg::Viewer& viewer,
                                                   msg::ComputesetId id) {
  if (!is_computeset_visible(view, viewer, id)) return std::unexpected(no_such_computeset(id));
  const auto* stored = view.computeset(id);
  if (stored && stored->computeset.state == ComputesetState::running) return stored;
  std::string why = " has ended or is ending";
  if (stored && stored->computeset.state == ComputesetState::submitted)
    why = stored->computeset.start_unix_s == 0
              ? " has not started: terminate it, and start another size"
              : " waits to go on: its size can be changed when it runs";
  if (stored && (stored->computeset.state == ComputesetState::hibernating ||
                 stored->computeset.state == ComputesetState::hibernated))
    why = " is hibernated: resume it first";
  return core::refuse(ErrorCode::wrong_state, "computeset " + std::to_string(id) + why,
                      "computeset_id");
}

std::string shown_names(const std::vector<std::string>& names) {
  const auto list = core::hostlist::collect(names);
  return list.size() <= shown_bytes_max ? list : std::to_string(names.size()) + " nodes";
}

/// Why more nodes have no hosts.
core::Error refusal(const Wait& wait) {
  std::string reason = text_of(wait);
  if (wait.reason == WaitReason::behind)
    reason = "computeset " + wait.subject + " waits for these hosts and would start later";
  if (wait.reason == WaitReason::no_room_for_all)
    reason = "no hosts have room for all of these nodes now";
  if (wait.reason == WaitReason::job_full)
    reason = "batch job " + wait.subject +
             " has no free host for them: it has one only after a node has left";
  return {.code = ErrorCode::no_capacity, .detail = reason, .field = "names"};
}

/// The nodes to add. A field of the request is named as in a start.
core::Result<Nodes> nodes_to_add(const View& view, const StoredComputeset& stored,
                                 const msg::GrowComputeset& request) {
  const auto& computeset = stored.computeset;
  auto nodes = pick_nodes(
      view, {.cluster_id = computeset.cluster_id, .names = request.names, .count = request.count});
  const char* field = request.names.empty() ? "count" : "names";
  if (nodes && nodes->size() + computeset.nodes.size() > msg::computeset_nodes_max)
    return core::refuse(ErrorCode::invalid_argument, "a computeset has at most 4096 nodes", field);
  return nodes;
}

/// Whether its project may start more, and pay for them.
core::Result<void> check_allowed(const Draft& draft, const StoredComputeset& stored,
                                 const msg::Viewer& viewer, const Resources& more) {
  const auto& view = draft.view();
  const auto& computeset = stored.computeset;
  const auto cluster = find_cluster(view, viewer, computeset.cluster_id);
  if (!cluster) return std::unexpected(cluster.error());
  if (auto signed_ = check_acknowledged(view, computeset.project_id); !signed_) return signed_;
  if (auto payer =
          pick_allocation(view, (*cluster)->cluster, {.allocation_id = computeset.allocation_id});
      !payer)
    return std::unexpected(payer.error());
  return check_more(draft, with_more(stored, more, draft.now_unix_s()));
}

/// The hosts of the new nodes, which are in the computeset already.
core::Result<std::vector<msg::HostId>> hosts_for(Draft& draft, Backend& backend,
                                                 const StoredComputeset& stored,
                                                 const Nodes& nodes) {
  Needs needs{.count_min = nodes.size()};
  for (const auto* each : nodes) {
    const auto& node = *draft.node(each->definition.node_id);
    if (const auto missing = missing_for(draft, node); missing.reason != WaitReason::unknown) {
      const bool is_room = missing.reason == WaitReason::disk;
      return core::refuse(is_room ? ErrorCode::no_capacity : ErrorCode::wrong_state,
                          text_of(missing), "names");
    }
    needs.all.push_back(need_of(draft, node));
  }
  auto hosts = backend.find_more(draft, stored, needs);
  if (!hosts) return std::unexpected(refusal(hosts.error()));
  return *std::move(hosts);
}

void add_nodes(Draft& draft, StoredComputeset& stored, const Nodes& nodes,
               const std::vector<msg::HostId>& hosts) {
  std::vector<std::string> names;
  Resources more;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& node = *draft.node(nodes[i]->definition.node_id);
    const auto& id = node.definition.node_id;
    place(draft, id, hosts[i]);
    stored.computeset.nodes.push_back(id);
    if (!stored.hosts.empty()) stored.hosts.emplace_back();
    more += node.size;
    names.push_back(node.definition.name);
  }
  stored = with_more(std::move(stored), more, draft.now_unix_s());
  stored.computeset.reason = "grown by " + shown_names(names);
}

/// The nodes that the request names.
core::Result<std::vector<msg::NodeId>> nodes_to_remove(const View& view,
                                                       const StoredComputeset& stored,
                                                       const std::vector<std::string>& names) {
  const auto& computeset = stored.computeset;
  std::vector<msg::NodeId> nodes;
  std::set<std::string> seen;
  for (const auto& name : names) {
    const auto* node = view.node_named(computeset.cluster_id, name);
    if (!node || node->computeset_id != computeset.computeset_id)
      return core::refuse(ErrorCode::invalid_argument,
                          "There is no compute " + msg::shown(name) + " in computeset " +
                              std::to_string(computeset.computeset_id),
                          "names");
    if (!seen.insert(name).second)
      return core::refuse(ErrorCode::invalid_argument, "a node is named twice", "names");
    nodes.push_back(node->definition.node_id);
  }
  return nodes;
}

bool is_any_left(const View& view, const StoredComputeset& stored,
                 const std::vector<msg::NodeId>& without) {
  const std::set<msg::NodeId> removed(without.begin(), without.end());
  return std::ranges::any_of(stored.computeset.nodes, [&](const msg::NodeId& id) {
    const auto* node = view.node(id);
    return node && !node->is_leaving && !removed.contains(id);
  });
}

}  // namespace

core::Result<Plan> plan_grow(const View& view, Backend& backend, const msg::GrowComputeset& request,
                             std::int64_t now_unix_ms) {
  const auto id = request.computeset_id;
  const auto before = find_running(view, request.viewer, id);
  if (!before) return std::unexpected(before.error());
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto nodes = nodes_to_add(view, **before, request);
  if (!nodes) return std::unexpected(nodes.error());
  Draft draft{view, now_unix_ms};
  if (walltime_end_unix_s((*before)->computeset) <= draft.now_unix_s())
    return core::refuse(ErrorCode::wrong_state, "its walltime is over", "computeset_id");
  if ((*before)->rates.size() >= rates_max)
    return core::refuse(ErrorCode::wrong_state,
                        "its size has changed 2000 times: start another computeset",
                        "computeset_id");
  if (auto possible = check_disks(view, *nodes, (*before)->computeset.host_class); !possible)
    return std::unexpected(possible.error());
  Resources more;
  for (const auto* node : *nodes) more += size_of(*node);
  if (auto allowed = check_allowed(draft, **before, request.viewer, more); !allowed)
    return std::unexpected(allowed.error());

  for (const auto* each : *nodes) {
    StoredNode& node = draft.edit(each->definition.node_id);
    node.computeset_id = id;
    node.size = size_of(node);
    node.start_failures.clear();
  }
  StoredComputeset& stored = draft.edit(id);
  const auto hosts = hosts_for(draft, backend, stored, *nodes);
  if (!hosts) return std::unexpected(hosts.error());
  add_nodes(draft, stored, *nodes, *hosts);
  return finish(draft);
}

core::Result<Plan> plan_shrink(const View& view, const msg::ShrinkComputeset& request,
                               std::int64_t now_unix_ms) {
  const auto id = request.computeset_id;
  const auto before = find_running(view, request.viewer, id);
  if (!before) return std::unexpected(before.error());
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto nodes = nodes_to_remove(view, **before, request.names);
  if (!nodes) return std::unexpected(nodes.error());
  Draft draft{view, now_unix_ms};
  const bool is_graceful = request.action == msg::PowerAction::shutdown;
  draft.edit(id).computeset.reason = "shrunk by " + shown_names(request.names);
  if (is_any_left(view, **before, *nodes)) {
    for (const auto& node_id : *nodes) start_leaving(draft, node_id, is_graceful);
  } else {
    end_computeset(draft, id, is_graceful, "all its nodes were removed");
  }
  return finish(draft);
}

core::Result<msg::StartPlan> explain_growth(const View& view, Backend& backend,
                                            const msg::GrowComputeset& request,
                                            std::int64_t now_unix_ms) {
  auto plan = plan_grow(view, backend, request, now_unix_ms);
  if (!plan) return std::unexpected(plan.error());
  const auto id = request.computeset_id;
  const auto& before = *view.computeset(id);
  Draft draft{view, now_unix_ms};
  draft.changes() = std::move(plan->changes);
  const auto& stored = *draft.computeset(id);
  const auto& computeset = stored.computeset;
  msg::StartPlan shown{
      .computeset = computeset,
      .cores = stored.cores - before.cores,
      .core_s_max = charge_core_s_max(stored) - charge_core_s_max(before),
      .left_core_s = left_core_s(Draft{view, now_unix_ms}, computeset.allocation_id),
      .expected_start_unix_s = draft.now_unix_s(),
      .price = stored.price};
  for (auto i = before.computeset.nodes.size(); i < computeset.nodes.size(); ++i) {
    const auto& node = *draft.node(computeset.nodes[i]);
    shown.names.push_back(node.definition.name);
    shown.hosts.push_back(node.host_id);
  }
  return shown;
}

}  // namespace nucleus::scheduler

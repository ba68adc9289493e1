#include "services/scheduler/plan/start.hpp"

#include <algorithm>
#include <set>

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/estimates.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/leaving.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/computeset_state.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;

namespace {

/// Refused unless the node may be in a new computeset.
core::Result<void> check_free(const View& view, const StoredNode& node, const char* field) {
  const auto& name = node.definition.name;
  if (node.definition.kind != msg::NodeKind::compute)
    return core::refuse(ErrorCode::invalid_argument, name + " is not a compute node", field);
  if (node.computeset_id == 0) return {};
  if (node.is_leaving)
    return core::refuse(ErrorCode::invalid_argument, is_leaving_text(node), field);
  const auto state = view.computeset(node.computeset_id)->computeset.state;
  return core::refuse(ErrorCode::invalid_argument,
                      name + " is in computeset " + std::to_string(node.computeset_id) + " (" +
                          std::string(msg::name_of(state)) + ")",
                      field);
}

core::Result<Nodes> named_nodes(const View& view, const msg::StartComputeset& request) {
  const char* field = request.names.empty() ? "nodes" : "names";
  std::vector<const StoredNode*> all;
  for (const auto& id : request.nodes) all.push_back(view.node(id));
  for (const auto& name : request.names) all.push_back(view.node_named(request.cluster_id, name));
  Nodes nodes;
  std::set<msg::NodeId> seen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto* node = all[i];
    if (!node || node->is_removed || node->definition.cluster_id != request.cluster_id)
      return core::refuse(
          ErrorCode::invalid_argument,
          "There is no compute " +
              msg::shown(request.names.empty() ? request.nodes[i].value : request.names[i]) +
              " in cluster " + request.cluster_id.value,
          field);
    if (!seen.insert(node->definition.node_id).second)
      return core::refuse(ErrorCode::invalid_argument, "a node is named twice", field);
    if (auto checked = check_free(view, *node, field); !checked)
      return std::unexpected(checked.error());
    nodes.push_back(node);
  }
  return nodes;
}

/// The first free nodes by index.
core::Result<Nodes> free_nodes(const View& view, const msg::StartComputeset& request) {
  Nodes nodes;
  std::uint32_t free_count = 0;
  if (const auto* all = view.nodes_of(request.cluster_id))
    for (const auto& [index, id] : *all) {
      const auto* node = view.node(id);
      if (!check_free(view, *node, "count") || node->state == msg::NodeState::active) continue;
      ++free_count;
      if (nodes.size() < request.count) nodes.push_back(node);
    }
  if (request.count > 0 && nodes.size() == request.count) return nodes;
  const std::string what_to_do =
      request.count == 0
          ? "Requested number should be greater than zero."
          : std::to_string(request.count) + " were requested: ask for fewer, or end a computeset.";
  return core::refuse(
      ErrorCode::invalid_argument,
      "There are " + std::to_string(free_count) + " nodes available for starting. " + what_to_do,
      "count");
}

/// As requested, or 2880 minutes; in a reservation at most up to its end.
std::int64_t walltime_mins(const msg::StartComputeset& request, const msg::Reservation* reservation,
                           std::int64_t now_unix_s) {
  const auto wanted =
      request.walltime_mins == 0 ? msg::walltime_default_mins : request.walltime_mins;
  if (!reservation) return wanted;
  const auto left_s = reservation->end_unix_s - std::max(now_unix_s, reservation->start_unix_s);
  return std::min(wanted, (left_s + 59) / 60);
}

/// The class must exist, and the hosts that are named must have it.
core::Result<void> check_hosts(const View& view, const msg::StartComputeset& request) {
  const auto name = host_class_of(request);
  if (!view.has_host_class(name))
    return core::refuse(ErrorCode::invalid_argument, "no such host class: " + msg::shown(name),
                        "host_class");
  for (const auto& host_id : request.hosts) {
    const auto* host = view.host(host_id);
    if (!host)
      return core::refuse(ErrorCode::invalid_argument, "no such host: " + msg::shown(host_id.value),
                          "hosts");
    if (host->host_class != name)
      return core::refuse(ErrorCode::invalid_argument,
                          "host " + host_id.value + " is of class " + host->host_class +
                              ", the computeset is for " + name,
                          "hosts");
  }
  return {};
}

}  // namespace

core::Result<void> check_disks(const View& view, const Nodes& nodes,
                               const std::string& host_class) {
  for (const auto* node : nodes) {
    const auto* host = view.host(disk_place_of(*node).host_id);
    if (host && host->host_class != host_class)
      return core::refuse(ErrorCode::wrong_state,
                          "the disk of " + node->definition.name + " is on host " +
                              host->host_id.value + ", which is of class " + host->host_class,
                          "host_class");
  }
  return {};
}

std::string host_class_of(const msg::StartComputeset& request) {
  return request.host_class.empty() ? std::string(msg::host_class_default) : request.host_class;
}

core::Result<Nodes> pick_nodes(const View& view, const msg::StartComputeset& request) {
  const bool is_named = !request.nodes.empty() || !request.names.empty();
  return is_named ? named_nodes(view, request) : free_nodes(view, request);
}

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
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto cluster = find_cluster(view, request.viewer, request.cluster_id);
  if (!cluster) return std::unexpected(cluster.error());
  const auto nodes = pick_nodes(view, request);
  if (!nodes) return std::unexpected(nodes.error());
  const auto& project_id = nodes->front()->definition.project_id;
  if (auto signed_ = check_acknowledged(view, project_id); !signed_)
    return std::unexpected(signed_.error());
  const auto allocation_id = pick_allocation(view, (*cluster)->cluster, request);
  if (!allocation_id) return std::unexpected(allocation_id.error());
  if (auto possible = check_hosts(view, request); !possible)
    return std::unexpected(possible.error());
  if (auto possible = check_disks(view, *nodes, host_class_of(request)); !possible)
    return std::unexpected(possible.error());

  Draft draft{view, now_unix_ms};
  const msg::Reservation* reservation = nullptr;
  if (!request.reservation.empty() && !backend.keeps_reservations()) {
    const auto picked = pick_reservation(view, request, project_id, *nodes, draft.now_unix_s());
    if (!picked) return std::unexpected(picked.error());
    reservation = *picked;
  }
  const std::int64_t id = view.computeset_count() + 1;
  StoredComputeset stored{
      .computeset = {.computeset_id = id,
                     .cluster_id = request.cluster_id,
                     .project_id = project_id,
                     .state = next_state(ComputesetState::unknown, ComputesetEvent::accepted),
                     .allocation_id = *allocation_id,
                     .reservation = request.reservation,
                     .walltime_mins = walltime_mins(request, reservation, draft.now_unix_s()),
                     .created_unix_s = draft.now_unix_s(),
                     .person_id = request.person_id,
                     .on_behalf_of = request.on_behalf_of,
                     .node_count_min = request.node_count_min,
                     .host_class = host_class_of(request)},
      .hosts = request.hosts,
      .reservation_id = reservation ? reservation->reservation_id : 0,
      .price = view.price_of(host_class_of(request))};
  for (const auto* node : *nodes) {
    stored.computeset.nodes.push_back(node->definition.node_id);
    stored.cores += node->definition.cpus;
    stored.memory_mb += size_of(*node).memory_mb;
  }
  if (auto allowed = check_allocation(draft, *allocation_id, charge_core_s_max(stored)); !allowed)
    return std::unexpected(allowed.error());

  draft.changes().computeset_count = id;
  draft.changes().computesets[id] = std::move(stored);
  for (const auto* each : *nodes) {
    StoredNode& node = draft.edit(each->definition.node_id);
    node.computeset_id = id;
    node.size = size_of(node);
  }
  backend.submit(draft, id);
  if (!view.config().has_batch_system()) keep_estimate(draft, id);
  return finish(draft);
}

}  // namespace nucleus::scheduler

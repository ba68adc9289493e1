#include "services/scheduler/plan/definitions.hpp"

#include <algorithm>
#include <set>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disk_work.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/placements.hpp"

namespace nucleus::scheduler {

namespace {

/// Stops the node by force, or removes its record at once if it is off.
void remove(Draft& draft, const msg::NodeId& id) {
  StoredNode& node = draft.edit(id);
  node.is_removed = true;
  if (node.host_id.empty())
    erase_node(draft, id);
  else
    stop(draft, id, false);
}

}  // namespace

Plan plan_cluster_defined(const View& view, const msg::ClusterDefined& event,
                          std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto* known = view.cluster(event.cluster.cluster_id);
  StoredCluster stored = known ? *known : StoredCluster{};
  stored.cluster = event.cluster;
  draft.changes().clusters[event.cluster.cluster_id] = std::move(stored);
  return finish(draft);
}

Plan plan_node_defined(const View& view, const msg::NodeDefined& event, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto& id = event.node.node_id;
  const auto* known = view.node(id);
  StoredNode node = known ? *known : StoredNode{};
  node.definition = event.node;
  if (!known) node.size = size_of(node);
  draft.changes().nodes[id] = std::move(node);
  return finish(draft);
}

Plan plan_ports(const View& view, const msg::PortsLeased& event, std::int64_t now_unix_ms) {
  if (!view.node(event.node_id)) return {};  // removed meanwhile
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(event.node_id);
  node.ports = event.ports;
  node.ports_reason = event.reason;
  node.fabrics = event.fabrics;
  if (node.host_id.empty()) node.size.adapters = size_of(node).adapters;
  return finish(draft);
}

Plan plan_names(const View& view, const std::set<msg::ClusterId>& clusters,
                std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto is_served = [](const StoredNode& node) {
    return std::ranges::any_of(node.ports,
                               [](const msg::Port& port) { return !port.name_server.empty(); });
  };
  for (const auto& cluster_id : clusters) {
    const auto* nodes = view.nodes_of(cluster_id);
    if (!nodes) continue;
    std::set<msg::HostId> told;
    for (const auto& [index, node_id] : *nodes) {
      const auto& node = *view.node(node_id);
      if (!node.is_grant_on || node.host_id.empty() || !is_served(node)) continue;
      if (told.insert(node.host_id).second) draft.change_grant(draft.edit(node_id));
    }
  }
  return std::move(draft).take();
}

Plan plan_volume(const View& view, const msg::VolumePlaced& event, std::int64_t now_unix_ms) {
  if (!view.node(event.volume.node_id)) return {};  // removed meanwhile
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(event.volume.node_id);
  node.volume = event.volume;
  node.is_volume_ready = event.is_ready;
  node.volume_reason = event.reason;
  node.volume_iso_id = event.iso_id;
  take_content(node, event.disk, draft.now_unix_s());
  return finish(draft);
}

Plan plan_acknowledgement(const View& view, const msg::AcknowledgementChanged& event,
                          std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  auto& unacknowledged = draft.changes().unacknowledged;
  if (!event.is_acknowledged)
    unacknowledged[event.project_id] =
        StoredUnacknowledged{.project_id = event.project_id, .reason = event.reason};
  else if (view.unacknowledged(event.project_id))
    unacknowledged[event.project_id].reset();
  return finish(draft);
}

Plan plan_node_removed(const View& view, const msg::NodeRemoved& event, std::int64_t now_unix_ms) {
  const auto& id = event.node.node_id;
  if (!view.node(id)) return {};
  Draft draft{view, now_unix_ms};
  leave_computeset(draft, id);
  remove(draft, id);
  return finish(draft);
}

Plan plan_cluster_removed(const View& view, const msg::ClusterRemoved& event,
                          std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  std::set<msg::ComputesetId> computesets;
  for (const auto& id : event.nodes)
    if (const auto* node = view.node(id); node && node->computeset_id != 0)
      computesets.insert(node->computeset_id);
  for (const auto id : computesets) end_computeset(draft, id, false, "its cluster was removed");
  for (const auto& id : event.nodes)
    if (draft.node(id)) remove(draft, id);
  draft.changes().clusters[event.cluster.cluster_id].reset();
  return finish(draft);
}

}  // namespace nucleus::scheduler

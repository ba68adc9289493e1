// The registry's handlers for clusters and nodes.
#include <algorithm>

#include "services/registry/cluster_plan.hpp"
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

// One reply stays below the bounds of a message body, whatever the names.
constexpr std::size_t list_bytes_max = msg::body_bytes_max - 4096;
constexpr std::size_t list_nodes_max = 4200;

}  // namespace

std::unexpected<core::Error> no_cluster(const msg::ClusterId& id) {
  return core::refuse(core::ErrorCode::not_found, "no cluster " + msg::shown(id.value),
                      "cluster_id");
}

core::Result<msg::Cluster> Service::define_cluster(const msg::DefineCluster& request,
                                                   core::Context& context) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  auto tx = store_.begin(context);
  if (!tx.read(keys::project(request.project_id)))
    return core::refuse(core::ErrorCode::not_found,
                        "no project " + msg::shown(request.project_id.value), "project_id");
  if (tx.read(keys::cluster(request.cluster_id)))
    return core::refuse(core::ErrorCode::wrong_state,
                        "the name " + msg::shown(request.cluster_id.value) + " is taken",
                        "cluster_id");
  auto plan = plan_cluster(request, [&] { return new_node_id(context); });
  if (!plan) return std::unexpected(plan.error());

  tx.write(keys::cluster(request.cluster_id), StoredCluster{plan->cluster});
  tx.emit(msg::ClusterDefined{.cluster = plan->cluster,
                              .node_count = static_cast<std::uint32_t>(plan->nodes.size())});
  std::vector<msg::NodeId> node_ids;
  for (const auto& node : plan->nodes) {
    tx.write(keys::node(node.node_id), StoredNode{node});
    tx.emit(msg::NodeDefined{node});
    node_ids.push_back(node.node_id);
  }
  auto reply = tx.commit(plan->cluster);
  if (!reply) return reply;
  node_count_ += node_ids.size();
  nodes_of_[request.cluster_id] = std::move(node_ids);
  show_counts();
  return reply;
}

core::Result<msg::Clusters> Service::list_clusters(const msg::ListClusters& request,
                                                   core::Context&) {
  const auto is_theirs = [&](const msg::Cluster& cluster) {
    return request.is_operator ||
           (std::ranges::find(request.projects, cluster.project_id) != request.projects.end());
  };
  msg::Clusters reply;
  if (!request.cluster_id.empty()) {
    const auto* stored = store_.read(keys::cluster(request.cluster_id));
    if (!stored || !is_theirs(stored->cluster)) return no_cluster(request.cluster_id);
    reply.clusters.push_back(with_nodes(stored->cluster));
    return reply;
  }
  std::size_t bytes = 0;
  std::size_t nodes = 0;
  store_.for_each<StoredCluster>(keys::clusters(), [&](const StoredCluster& stored) {
    const auto& cluster = stored.cluster;
    if (reply.is_more || !is_theirs(cluster) || cluster.cluster_id.value <= request.after.value)
      return;
    auto entry = with_nodes(cluster);
    bytes += msg::encode(entry).size();
    nodes += entry.nodes.size();
    const bool is_full = bytes > list_bytes_max || nodes > list_nodes_max;
    if (is_full && !reply.clusters.empty()) {
      reply.is_more = true;
      return;
    }
    reply.clusters.push_back(std::move(entry));
  });
  return reply;
}

core::Result<msg::Done> Service::rename_node(const msg::RenameNode& request,
                                             core::Context& context) {
  if (auto broken = check_node_name(request.name)) return std::unexpected(*broken);
  auto changed = change_node({.node_id = request.node_id, .name = request.name}, context);
  if (!changed) return std::unexpected(changed.error());
  return msg::Done{};
}

core::Result<msg::Done> Service::attach_iso(const msg::AttachIso& request, core::Context& context) {
  auto changed = change_node({.node_id = request.node_id, .iso_id = request.iso_id}, context);
  if (!changed) return std::unexpected(changed.error());
  return msg::Done{};
}

core::Result<msg::Done> Service::remove_cluster(const msg::RemoveCluster& request,
                                                core::Context& context) {
  auto tx = store_.begin(context);
  const auto* stored = tx.read(keys::cluster(request.cluster_id));
  if (!stored) return no_cluster(request.cluster_id);
  if (request.if_revision != 0 && request.if_revision != stored->cluster.revision)
    return core::refuse(core::ErrorCode::conflict, "the cluster was changed meanwhile",
                        "if_revision");
  const auto node_ids = nodes_of_[request.cluster_id];
  tx.emit(msg::ClusterRemoved{.cluster = stored->cluster, .nodes = node_ids});
  tx.remove(keys::cluster(request.cluster_id));
  for (const auto& node_id : node_ids) tx.remove(keys::node(node_id));
  auto reply = tx.commit(msg::Done{});
  if (!reply) return reply;
  node_count_ -= node_ids.size();
  nodes_of_.erase(request.cluster_id);
  show_counts();
  return reply;
}

core::Result<msg::Node> Service::find_node(const msg::NodeId& node_id) const {
  const auto* stored = store_.read(keys::node(node_id));
  if (!stored)
    return core::refuse(core::ErrorCode::not_found, "no node " + msg::shown(node_id.value),
                        "node_id");
  return stored->node;
}

msg::ClusterWithNodes Service::with_nodes(const msg::Cluster& cluster) const {
  msg::ClusterWithNodes whole{.cluster = cluster};
  const auto found = nodes_of_.find(cluster.cluster_id);
  if (found == nodes_of_.end()) return whole;
  for (const auto& node_id : found->second)
    if (const auto* stored = store_.read(keys::node(node_id))) whole.nodes.push_back(stored->node);
  return whole;
}

}  // namespace nucleus::registry

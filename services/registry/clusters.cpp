// The registry's handlers that create, list and remove clusters, and list nodes.
#include <algorithm>
#include <charconv>

#include "core/list/page_builder.hpp"
#include "services/registry/cluster_plan.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

/// A position in the list of all nodes: the last one of the previous page.
struct NodeCursor {
  std::string cluster = {};  // empty = before the first
  std::int64_t index = -1;   // -1 = before the cluster's first node
};

std::string cursor_of(const msg::Node& node, bool is_one_cluster) {
  const std::string index = std::to_string(node.index);
  return is_one_cluster ? index : node.cluster_id.value + "/" + index;
}

core::Result<NodeCursor> read_cursor(const std::string& after, const msg::ClusterId& cluster) {
  NodeCursor cursor{.cluster = cluster.value};
  if (after.empty()) return cursor;
  std::string_view index = after;
  if (cluster.empty()) {
    const auto slash = after.find('/');
    cursor.cluster = after.substr(0, slash);
    index.remove_prefix(slash == after.npos ? after.size() : slash + 1);
  }
  const auto read = std::from_chars(index.data(), index.data() + index.size(), cursor.index);
  if (read.ec == std::errc{} && read.ptr == index.data() + index.size() && cursor.index >= 0)
    return cursor;
  return std::unexpected(msg::invalid("after", "after is not a cursor of this list"));
}

}  // namespace

std::unexpected<core::Error> no_such_cluster(const msg::ClusterId& id) {
  return core::refuse(core::ErrorCode::not_found, "no such cluster: " + msg::shown(id.value),
                      "cluster_id");
}

core::Result<msg::Cluster> Service::define_cluster(const msg::DefineCluster& request,
                                                   core::Context& context) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  auto tx = store_.begin(context);
  if (!use_project(tx, request.project_id))
    return no_such_project(request.project_id, "project_id");
  if (tx.read(keys::cluster(request.cluster_id)))
    return core::refuse(core::ErrorCode::wrong_state,
                        "the name is taken: " + msg::shown(request.cluster_id.value), "cluster_id");
  auto plan = plan_cluster(request, [&] { return new_node_id(context); });
  if (!plan) return std::unexpected(plan.error());

  tx.write(keys::cluster(request.cluster_id), StoredCluster{plan->cluster});
  tx.emit(msg::ClusterDefined{.cluster = plan->cluster});
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

core::Result<msg::Cluster> Service::find_cluster(const msg::ClusterId& cluster_id,
                                                 const msg::Viewer& viewer) const {
  const auto* stored = store_.read(keys::cluster(cluster_id));
  if (!stored || !msg::sees(viewer, stored->cluster.project_id)) return no_such_cluster(cluster_id);
  return stored->cluster;
}

core::Result<msg::Clusters> Service::list_clusters(const msg::ListClusters& request,
                                                   core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (!request.cluster_id.empty()) {
    auto cluster = find_cluster(request.cluster_id, request.viewer);
    if (!cluster) return std::unexpected(cluster.error());
    return msg::Clusters{.clusters = {std::move(*cluster)}};
  }
  core::PageBuilder<msg::Cluster> page{request.page};
  for (auto next = nodes_of_.upper_bound({request.page.after}); next != nodes_of_.end(); ++next) {
    const auto& cluster = store_.read(keys::cluster(next->first))->cluster;
    if (!msg::sees(request.viewer, cluster.project_id)) continue;
    if (!request.project_id.empty() && cluster.project_id != request.project_id) continue;
    if (!page.add(cluster, cluster.cluster_id.value)) break;
  }
  return msg::Clusters{.clusters = page.take(), .next = page.next()};
}

core::Result<msg::Nodes> Service::list_nodes(const msg::ListNodes& request, core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const bool is_one_cluster = !request.cluster_id.empty();
  msg::Nodes reply;
  if (is_one_cluster) {
    auto cluster = find_cluster(request.cluster_id, request.viewer);
    if (!cluster) return std::unexpected(cluster.error());
    reply.cluster = std::move(*cluster);
  }
  if (!request.name.empty()) {
    auto node = find_node({.cluster_id = request.cluster_id, .name = request.name}, request.viewer);
    if (!node) return std::unexpected(node.error());
    reply.nodes.push_back(std::move(*node));
    return reply;
  }
  const auto cursor = read_cursor(request.page.after, request.cluster_id);
  if (!cursor) return std::unexpected(cursor.error());

  core::PageBuilder<msg::Node> page{request.page};
  const auto add_nodes_of = [&](const msg::ClusterId& cluster_id, std::int64_t after) {
    for (const auto& node_id : nodes_of_.at(cluster_id)) {
      const auto& node = store_.read(keys::node(node_id))->node;
      if (node.index > after && !page.add(node, cursor_of(node, is_one_cluster))) return false;
    }
    return true;
  };
  for (auto next = nodes_of_.lower_bound({cursor->cluster}); next != nodes_of_.end(); ++next) {
    if (is_one_cluster && next->first != request.cluster_id) break;
    if (!msg::sees(request.viewer, store_.read(keys::cluster(next->first))->cluster.project_id))
      continue;
    if (!add_nodes_of(next->first, next->first.value == cursor->cluster ? cursor->index : -1))
      break;
  }
  reply.nodes = page.take();
  reply.next = page.next();
  return reply;
}

core::Result<msg::Done> Service::remove_cluster(const msg::RemoveCluster& request,
                                                core::Context& context) {
  const auto cluster = find_cluster(request.cluster_id, request.viewer);
  if (!cluster) return std::unexpected(cluster.error());
  if (auto broken = check_revision(request.if_revision, cluster->revision))
    return std::unexpected(*broken);
  const auto node_ids = nodes_of_.at(request.cluster_id);
  auto tx = store_.begin(context);
  tx.emit(msg::ClusterRemoved{.cluster = *cluster, .nodes = node_ids});
  tx.remove(keys::cluster(request.cluster_id));
  for (const auto& node_id : node_ids) tx.remove(keys::node(node_id));
  auto reply = tx.commit(msg::Done{});
  if (!reply) return reply;
  node_count_ -= node_ids.size();
  nodes_of_.erase(request.cluster_id);
  show_counts();
  return reply;
}

core::Result<msg::Node> Service::find_node(const msg::NodeRef& ref,
                                           const msg::Viewer& viewer) const {
  if (auto broken = msg::check(ref)) return std::unexpected(*broken);
  if (!ref.node_id.empty()) {
    const auto* stored = store_.read(keys::node(ref.node_id));
    if (stored && msg::sees(viewer, stored->node.project_id)) return stored->node;
    return core::refuse(core::ErrorCode::not_found,
                        "no such node: " + msg::shown(ref.node_id.value), "node_id");
  }
  if (auto cluster = find_cluster(ref.cluster_id, viewer); !cluster)
    return std::unexpected(cluster.error());
  for (const auto& node_id : nodes_of_.at(ref.cluster_id))
    if (const auto& node = store_.read(keys::node(node_id))->node; node.name == ref.name)
      return node;
  return core::refuse(core::ErrorCode::not_found, "no such node: " + msg::shown(ref.name), "name");
}

std::vector<msg::Node> Service::nodes_of(const msg::ClusterId& cluster_id) const {
  std::vector<msg::Node> nodes;
  for (const auto& node_id : nodes_of_.at(cluster_id))
    nodes.push_back(store_.read(keys::node(node_id))->node);
  return nodes;
}

}  // namespace nucleus::registry

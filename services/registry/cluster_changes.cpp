// The registry's handlers that change clusters and nodes. A change of a node is a change of its
// cluster too: both get the next revision.
#include <algorithm>

#include "services/registry/cluster_plan.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

std::optional<msg::Error> check_size(const msg::ChangeNode& request) {
  msg::NodeSize size;
  if (request.cpus) size.cpus = *request.cpus;
  if (request.memory_mb) size.memory_mb = *request.memory_mb;
  auto broken = msg::check(size, "size");
  if (broken) broken->field = broken->field.substr(broken->field.find('.') + 1);
  return broken;
}

}  // namespace

std::optional<msg::Error> check_revision(std::uint64_t if_revision, std::uint64_t revision) {
  if (if_revision == 0 || if_revision == revision) return std::nullopt;
  return msg::Error{
      .code = msg::ErrorCode::conflict,
      .detail = "it was changed meanwhile: its revision is " + std::to_string(revision),
      .field = "if_revision"};
}

core::Result<msg::Cluster> Service::change_cluster(const msg::ChangeCluster& request,
                                                   core::Context& context) {
  const auto before = find_cluster(request.cluster_id, request.viewer);
  if (!before) return before;
  if (auto broken = check_revision(request.if_revision, before->revision))
    return std::unexpected(*broken);
  auto cluster = *before;
  if (request.description) cluster.description = *request.description;
  if (request.allocations) cluster.allocations = *request.allocations;
  if (auto broken = msg::check(msg::DefineCluster{.cluster_id = cluster.cluster_id,
                                                  .project_id = cluster.project_id,
                                                  .description = cluster.description,
                                                  .allocations = cluster.allocations}))
    return std::unexpected(*broken);
  auto tx = store_.begin(context);
  if (cluster != *before) cluster = write_cluster(tx, std::move(cluster));
  return tx.commit(cluster);
}

core::Result<msg::Node> Service::change_node(const msg::ChangeNode& request,
                                             core::Context& context) {
  auto node = find_node(request.node, request.viewer);
  if (!node) return node;
  if (auto broken = check_revision(request.if_revision, node->revision))
    return std::unexpected(*broken);
  if (auto broken = check_size(request)) return std::unexpected(*broken);
  const msg::Node before = *node;
  if (request.name)
    if (auto renamed = rename(*node, *request.name); !renamed)
      return std::unexpected(renamed.error());
  if (request.cpus) node->cpus = *request.cpus;
  if (request.memory_mb) node->memory_mb = *request.memory_mb;
  if (request.iso_id) {
    if (auto broken = check_image("iso_id", *request.iso_id, node->project_id))
      return std::unexpected(*broken);
    node->iso_id = *request.iso_id;
  }
  auto tx = store_.begin(context);
  if (*node == before) return tx.commit(*node);
  ++node->revision;
  tx.write(keys::node(node->node_id), StoredNode{*node});
  tx.emit(msg::NodeDefined{*node});
  write_cluster(tx, store_.read(keys::cluster(node->cluster_id))->cluster);
  return tx.commit(*node);
}

core::Result<void> Service::rename(msg::Node& node, const std::string& name) const {
  if (auto broken = check_node_name(name)) return std::unexpected(*broken);
  if (node.kind == msg::NodeKind::frontend)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "a frontend keeps the name of its cluster", "name");
  for (const auto& other_id : nodes_of_.at(node.cluster_id)) {
    const auto* other = store_.read(keys::node(other_id));
    if (other_id != node.node_id && other->node.name == name)
      return core::refuse(core::ErrorCode::wrong_state, "the name is taken: " + msg::shown(name),
                          "name");
  }
  node.name = name;
  return {};
}

core::Result<msg::NodesAdded> Service::add_nodes(const msg::AddNodes& request,
                                                 core::Context& context) {
  auto cluster = find_cluster(request.cluster_id, request.viewer);
  if (!cluster) return std::unexpected(cluster.error());
  if (auto broken = check_revision(request.if_revision, cluster->revision))
    return std::unexpected(*broken);
  if (request.count < 1 || request.count > 4096)
    return std::unexpected(msg::invalid("count", "count must be 1 to 4096"));
  if (auto broken = msg::check(request.size, "size")) return std::unexpected(*broken);
  const auto plan = plan_more_nodes(*cluster, nodes_of(request.cluster_id), request,
                                    [&] { return new_node_id(context); });
  if (!plan) return std::unexpected(plan.error());
  auto tx = store_.begin(context);
  for (const auto& node : *plan) {
    tx.write(keys::node(node.node_id), StoredNode{node});
    tx.emit(msg::NodeDefined{node});
  }
  cluster->node_count += request.count;
  auto reply = tx.commit(msg::NodesAdded{.cluster = write_cluster(tx, std::move(*cluster)),
                                         .first_index = plan->front().index});
  if (!reply) return reply;
  node_count_ += plan->size();
  for (const auto& node : *plan) nodes_of_[request.cluster_id].push_back(node.node_id);
  show_counts();
  return reply;
}

core::Result<msg::Done> Service::remove_node(const msg::RemoveNode& request,
                                             core::Context& context) {
  const auto node = find_node(request.node, request.viewer);
  if (!node) return std::unexpected(node.error());
  if (auto broken = check_revision(request.if_revision, node->revision))
    return std::unexpected(*broken);
  if (node->kind == msg::NodeKind::frontend)
    return core::refuse(core::ErrorCode::wrong_state,
                        "a frontend can only be removed with its cluster", "node");
  auto cluster = store_.read(keys::cluster(node->cluster_id))->cluster;
  --cluster.node_count;
  auto tx = store_.begin(context);
  tx.remove(keys::node(node->node_id));
  tx.emit(msg::NodeRemoved{*node});
  write_cluster(tx, std::move(cluster));
  auto reply = tx.commit(msg::Done{});
  if (!reply) return reply;
  --node_count_;
  std::erase(nodes_of_[node->cluster_id], node->node_id);
  show_counts();
  return reply;
}

/// Writes and emits the cluster with its next revision.
msg::Cluster Service::write_cluster(core::Transaction& tx, msg::Cluster cluster) {
  ++cluster.revision;
  tx.write(keys::cluster(cluster.cluster_id), StoredCluster{cluster});
  tx.emit(msg::ClusterDefined{.cluster = cluster});
  return cluster;
}

msg::NodeId Service::new_node_id(core::Context& context) const {
  msg::NodeId id;
  do {
    id.value = "n-" + context.new_id().substr(0, 16);
  } while (store_.read(keys::node(id)));
  return id;
}

}  // namespace nucleus::registry

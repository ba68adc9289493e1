// What becomes of clusters and nodes after they were made. Each change of a node is one of its
// cluster too: both have the next revision.
#include <algorithm>

#include "services/registry/cluster_plan.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

/// Nothing, or that somebody else changed it first.
std::optional<msg::Error> check_revision(std::uint64_t wanted, std::uint64_t is) {
  if (wanted == 0 || wanted == is) return std::nullopt;
  return msg::Error{.code = msg::ErrorCode::conflict,
                    .detail = "it was changed meanwhile: its revision is " + std::to_string(is),
                    .field = "if_revision"};
}

std::optional<msg::Error> check_size(const msg::ChangeNode& request) {
  msg::NodeSize size;
  if (request.cpus) size.cpus = *request.cpus;
  if (request.memory_mb) size.memory_mb = *request.memory_mb;
  auto broken = msg::check(size, "size");
  if (broken) broken->field = broken->field.substr(broken->field.find('.') + 1);
  return broken;
}

}  // namespace

core::Result<msg::Cluster> Service::change_cluster(const msg::ChangeCluster& request,
                                                   core::Context& context) {
  auto tx = store_.begin(context);
  const auto* stored = tx.read(keys::cluster(request.cluster_id));
  if (!stored) return no_cluster(request.cluster_id);
  auto cluster = stored->cluster;
  if (auto broken = check_revision(request.if_revision, cluster.revision))
    return std::unexpected(*broken);
  if (request.description) cluster.description = *request.description;
  if (request.allocations) cluster.allocations = *request.allocations;
  if (auto broken = msg::check(msg::DefineCluster{.cluster_id = cluster.cluster_id,
                                                  .project_id = cluster.project_id,
                                                  .description = cluster.description,
                                                  .allocations = cluster.allocations}))
    return std::unexpected(*broken);
  if (cluster == stored->cluster) return tx.commit(cluster);
  tx.write(keys::cluster(cluster.cluster_id), StoredCluster{cluster});
  return tx.commit(revise_cluster(tx, cluster.cluster_id));
}

core::Result<msg::Node> Service::change_node(const msg::ChangeNode& request,
                                             core::Context& context) {
  auto node = find_node(request.node_id);
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
  *node = write_node(tx, *node);
  revise_cluster(tx, node->cluster_id);
  return tx.commit(*node);
}

core::Result<void> Service::rename(msg::Node& node, const std::string& name) const {
  if (auto broken = check_node_name(name)) return std::unexpected(*broken);
  if (node.kind == msg::NodeKind::frontend)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "a frontend keeps the name of its cluster", "name");
  for (const auto& other_id : nodes_of_.at(node.cluster_id)) {
    const auto* other = store_.read(keys::node(other_id));
    if (other && other_id != node.node_id && other->node.name == name)
      return core::refuse(core::ErrorCode::wrong_state,
                          "the name " + msg::shown(name) + " is taken", "name");
  }
  node.name = name;
  return {};
}

core::Result<msg::Cluster> Service::add_nodes(const msg::AddNodes& request,
                                              core::Context& context) {
  auto tx = store_.begin(context);
  const auto* stored = tx.read(keys::cluster(request.cluster_id));
  if (!stored) return no_cluster(request.cluster_id);
  if (auto broken = check_revision(request.if_revision, stored->cluster.revision))
    return std::unexpected(*broken);
  if (request.count < 1 || request.count > 4096)
    return std::unexpected(msg::invalid("count", "count must be 1 to 4096"));
  if (auto broken = msg::check(request.size, "size")) return std::unexpected(*broken);
  auto plan =
      plan_more_nodes(with_nodes(stored->cluster), request, [&] { return new_node_id(context); });
  if (!plan) return std::unexpected(plan.error());
  std::vector<msg::NodeId> added;
  for (const auto& node : *plan) {
    tx.write(keys::node(node.node_id), StoredNode{node});
    tx.emit(msg::NodeDefined{node});
    added.push_back(node.node_id);
  }
  auto reply = tx.commit(revise_cluster(tx, request.cluster_id));
  if (!reply) return reply;
  node_count_ += added.size();
  std::ranges::move(added, std::back_inserter(nodes_of_[request.cluster_id]));
  show_counts();
  return reply;
}

core::Result<msg::Done> Service::remove_node(const msg::RemoveNode& request,
                                             core::Context& context) {
  auto node = find_node(request.node_id);
  if (!node) return std::unexpected(node.error());
  if (auto broken = check_revision(request.if_revision, node->revision))
    return std::unexpected(*broken);
  if (node->kind == msg::NodeKind::frontend)
    return core::refuse(core::ErrorCode::wrong_state, "a frontend goes with its cluster alone",
                        "node_id");
  auto tx = store_.begin(context);
  tx.remove(keys::node(node->node_id));
  tx.emit(msg::NodeRemoved{*node});
  revise_cluster(tx, node->cluster_id);
  auto reply = tx.commit(msg::Done{});
  if (!reply) return reply;
  --node_count_;
  std::erase(nodes_of_[node->cluster_id], node->node_id);
  show_counts();
  return reply;
}

/// Its next revision; told whole.
msg::Node Service::write_node(core::Transaction& tx, msg::Node node) {
  ++node.revision;
  tx.write(keys::node(node.node_id), StoredNode{node});
  tx.emit(msg::NodeDefined{node});
  return node;
}

msg::Cluster Service::revise_cluster(core::Transaction& tx, const msg::ClusterId& cluster_id) {
  auto cluster = tx.read(keys::cluster(cluster_id))->cluster;
  ++cluster.revision;
  tx.write(keys::cluster(cluster_id), StoredCluster{cluster});
  tx.emit(msg::ClusterDefined{.cluster = cluster});
  return cluster;
}

/// One that nobody has.
msg::NodeId Service::new_node_id(core::Context& context) const {
  msg::NodeId id;
  do {
    id.value = "n-" + context.new_id().substr(0, 16);
  } while (store_.read(keys::node(id)));
  return id;
}

}  // namespace nucleus::registry

// The registry's handlers that change clusters and nodes. A change of a node is a change of its
// cluster too: both get the next revision.
#include <algorithm>
#include <map>
#include <set>

#include "services/registry/cluster_plan.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

std::optional<msg::Error> check_values(const msg::ChangeNode& request) {
  msg::NodeSize size;
  if (request.cpus) size.cpus = *request.cpus;
  if (request.memory_mb) size.memory_mb = *request.memory_mb;
  auto broken = msg::check(size, "size");
  if (broken) broken->field = broken->field.substr(broken->field.find('.') + 1);
  return broken ? broken : msg::check_save_minutes(request.save_every_minutes);
}

core::Result<void> rename(msg::Node& node, const std::string& name) {
  if (auto broken = check_node_name(name)) return std::unexpected(*broken);
  if (node.kind == msg::NodeKind::frontend)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "a frontend keeps the name of its cluster", "name");
  node.name = name;
  return {};
}

core::Result<void> attach(msg::Node& node, const msg::ImageId& iso_id) {
  if (auto broken = check_image("iso_id", iso_id, node.project_id)) return std::unexpected(*broken);
  node.iso_id = iso_id;
  return {};
}

std::optional<msg::Error> check_lists(const msg::ChangeNodes& request) {
  if (request.nodes.empty() || request.nodes.size() > 4097)
    return msg::invalid("nodes", "nodes must have 1 to 4097 names");
  if (!request.names.empty() && request.names.size() != request.nodes.size())
    return msg::invalid("names", "names and nodes must have the same length");
  const std::set<std::string_view> once(request.nodes.begin(), request.nodes.end());
  if (once.size() != request.nodes.size())
    return msg::invalid("nodes", "nodes has a name more than once");
  return msg::check_save_minutes(request.save_every_minutes);
}

}  // namespace

std::optional<msg::Error> check_revision(std::uint64_t if_revision, std::uint64_t revision) {
  if (if_revision == 0 || if_revision == revision) return std::nullopt;
  std::string detail = "it was changed meanwhile: its revision is " + std::to_string(revision);
  return msg::Error{msg::ErrorCode::conflict, std::move(detail), "if_revision"};
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
  if (request.address_mode) {
    if (auto broken = check_address_mode(*request.address_mode)) return std::unexpected(*broken);
    cluster.address_mode = *request.address_mode;
  }
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
  if (auto broken = check_values(request)) return std::unexpected(*broken);
  const msg::Node before = *node;
  if (request.name)
    if (auto renamed = rename(*node, *request.name); !renamed)
      return std::unexpected(renamed.error());
  if (auto unique = check_names(node->cluster_id, {*node}); !unique)
    return std::unexpected(unique.error());
  if (request.cpus) node->cpus = *request.cpus;
  if (request.memory_mb) node->memory_mb = *request.memory_mb;
  if (request.save_at_power_off) node->save_at_power_off = *request.save_at_power_off;
  if (request.boots_from_network) node->boots_from_network = *request.boots_from_network;
  if (request.save_every_minutes) node->save_every_minutes = *request.save_every_minutes;
  if (request.iso_id)
    if (auto attached = attach(*node, *request.iso_id); !attached)
      return std::unexpected(attached.error());
  auto tx = store_.begin(context);
  if (*node == before) return tx.commit(*node);
  ++node->revision;
  tx.write(keys::node(node->node_id), StoredNode{*node});
  tx.emit(msg::NodeDefined{*node});
  write_cluster(tx, store_.read(keys::cluster(node->cluster_id))->cluster);
  return tx.commit(*node);
}

core::Result<msg::Cluster> Service::change_nodes(const msg::ChangeNodes& request,
                                                 core::Context& context) {
  auto cluster = find_cluster(request.cluster_id, request.viewer);
  if (!cluster) return cluster;
  if (auto broken = check_lists(request)) return std::unexpected(*broken);
  if (auto broken = check_revision(request.if_revision, cluster->revision))
    return std::unexpected(*broken);
  std::map<std::string, msg::Node> by_name;
  for (auto& node : nodes_of(request.cluster_id)) by_name.emplace(node.name, std::move(node));
  std::vector<msg::Node> changed;
  for (std::size_t i = 0; i < request.nodes.size(); ++i) {
    const auto found = by_name.find(request.nodes[i]);
    if (found == by_name.end())
      return core::refuse(core::ErrorCode::not_found,
                          "no such node: " + msg::shown(request.nodes[i]), "nodes");
    auto node = found->second;
    core::Result<void> done;
    if (!request.names.empty() && request.names[i] != node.name)
      done = rename(node, request.names[i]);
    if (done && request.iso_id) done = attach(node, *request.iso_id);
    if (request.save_at_power_off) node.save_at_power_off = *request.save_at_power_off;
    if (request.boots_from_network) node.boots_from_network = *request.boots_from_network;
    if (request.save_every_minutes) node.save_every_minutes = *request.save_every_minutes;
    if (!done) {
      if (done.error().field == "name") done.error().field = "names";
      return std::unexpected(done.error());
    }
    if (node != found->second) changed.push_back(std::move(node));
  }
  if (auto unique = check_names(request.cluster_id, changed); !unique)
    return std::unexpected(unique.error());
  auto tx = store_.begin(context);
  for (auto& node : changed) {
    ++node.revision;
    tx.write(keys::node(node.node_id), StoredNode{node});
    tx.emit(msg::NodeDefined{node});
  }
  if (!changed.empty()) cluster = write_cluster(tx, std::move(*cluster));
  return tx.commit(*cluster);
}

core::Result<void> Service::check_names(const msg::ClusterId& cluster_id,
                                        const std::vector<msg::Node>& changed) const {
  std::map<msg::NodeId, std::string> name_of;
  for (const auto& node : changed) name_of[node.node_id] = node.name;
  std::set<std::string> taken;
  for (const auto& node_id : nodes_of_.at(cluster_id)) {
    const auto found = name_of.find(node_id);
    const auto& name =
        found == name_of.end() ? store_.read(keys::node(node_id))->node.name : found->second;
    if (!taken.insert(name).second)
      return core::refuse(core::ErrorCode::wrong_state, "the name is taken: " + msg::shown(name),
                          "name");
  }
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

#include "gateway/routing/lookups.hpp"

#include "gateway/json/numbers.hpp"
#include "gateway/routing/pages.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

msg::NodeRef node_of_path(const Exchange& exchange) {
  const std::string& cluster = exchange.path.at("cluster");
  const auto node = exchange.path.find("node");
  return {.cluster_id = {cluster}, .name = node == exchange.path.end() ? cluster : node->second};
}

void with_cluster(const ExchangePtr& exchange, std::function<void(msg::Cluster)> next) {
  exchange->ask(msg::ListClusters{.viewer = msg::viewer_of(exchange->who),
                                  .cluster_id = {exchange->path.at("cluster")}},
                [exchange, next = std::move(next)](msg::Clusters found) {
                  if (found.clusters.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such cluster");
                  next(std::move(found.clusters.front()));
                });
}

void with_nodes(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                std::function<void(ClusterNodes)> next) {
  auto all = std::make_shared<ClusterNodes>();
  for_each_page<msg::ListNodes>(
      exchange, {.viewer = msg::viewer_of(exchange->who), .cluster_id = cluster_id},
      [all](msg::Nodes page) {
        // The first page's revision, so that a change meanwhile makes an `If-Match` fail.
        if (all->nodes.empty()) all->cluster = std::move(page.cluster);
        std::ranges::move(page.nodes, std::back_inserter(all->nodes));
      },
      [all, next = std::move(next)] { next(std::move(*all)); });
}

void with_node(const ExchangePtr& exchange, std::function<void(msg::Node)> next) {
  const auto node = node_of_path(*exchange);
  exchange->ask(msg::ListNodes{.viewer = msg::viewer_of(exchange->who),
                               .cluster_id = node.cluster_id,
                               .name = node.name},
                [exchange, next = std::move(next)](msg::Nodes found) {
                  if (found.nodes.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such node");
                  next(std::move(found.nodes.front()));
                });
}

void with_computeset(const ExchangePtr& exchange, std::function<void(msg::Computeset)> next) {
  const auto id = whole_number<msg::ComputesetId>(exchange->path["id"]);
  if (!id || *id <= 0) return exchange->refuse(ErrorCode::not_found, "no such computeset");
  const msg::ListComputesets request{.projects = exchange->who.projects,
                                     .is_operator = exchange->is_operator(),
                                     .computeset_id = *id};
  exchange->ask(request, [exchange, next = std::move(next)](const msg::Computesets& found) {
    if (found.computesets.empty())
      return exchange->refuse(ErrorCode::not_found, "no such computeset");
    next(found.computesets.front());
  });
}

void with_statuses(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                   std::function<void(NodeStatusesById)> next) {
  exchange->ask(msg::ListNodeStatuses{.cluster_id = cluster_id},
                [next = std::move(next)](msg::NodeStatuses listed) {
                  NodeStatusesById statuses;
                  for (auto& status : listed.nodes) {
                    std::string id = status.node_id.value;
                    statuses[std::move(id)] = std::move(status);
                  }
                  next(std::move(statuses));
                });
}

const msg::NodeStatus& status_of(const msg::Node& node, const NodeStatusesById& statuses) {
  static const msg::NodeStatus none{.state = msg::NodeState::nostate};
  const auto found = statuses.find(node.node_id.value);
  return found == statuses.end() ? none : found->second;
}

}  // namespace nucleus::gateway

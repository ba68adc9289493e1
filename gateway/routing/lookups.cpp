#include "gateway/routing/lookups.hpp"

#include <algorithm>

#include "gateway/json/numbers.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

msg::ListClusters clusters_of(const Exchange& exchange) {
  return {.projects = exchange.who.projects, .is_operator = exchange.is_operator()};
}

void gather(const ExchangePtr& exchange, msg::ListClusters request,
            std::shared_ptr<std::vector<msg::ClusterWithNodes>> all,
            std::function<void(std::vector<msg::ClusterWithNodes>)> next) {
  exchange->ask(request, [exchange, request, all, next](msg::Clusters page) mutable {
    const bool is_more = page.is_more && !page.clusters.empty();
    std::ranges::move(page.clusters, std::back_inserter(*all));
    if (!is_more) return next(std::move(*all));
    request.after = all->back().cluster.cluster_id;
    gather(exchange, std::move(request), all, std::move(next));
  });
}

}  // namespace

void with_clusters(const ExchangePtr& exchange,
                   std::function<void(std::vector<msg::ClusterWithNodes>)> next) {
  gather(exchange, clusters_of(*exchange), std::make_shared<std::vector<msg::ClusterWithNodes>>(),
         std::move(next));
}

void with_cluster(const ExchangePtr& exchange, std::function<void(msg::ClusterWithNodes)> next) {
  auto request = clusters_of(*exchange);
  request.cluster_id = {exchange->path["cluster"]};
  if (!msg::is_name(request.cluster_id.value))
    return exchange->refuse(ErrorCode::not_found, "no such cluster");
  exchange->ask(request, [exchange, next = std::move(next)](msg::Clusters found) {
    if (found.clusters.empty()) return exchange->refuse(ErrorCode::not_found, "no such cluster");
    next(std::move(found.clusters.front()));
  });
}

void with_node(const ExchangePtr& exchange,
               std::function<void(msg::ClusterWithNodes, msg::Node)> next) {
  with_cluster(exchange, [exchange, next = std::move(next)](msg::ClusterWithNodes cluster) {
    const auto named = exchange->path.find("node");
    const auto found = std::ranges::find_if(cluster.nodes, [&](const msg::Node& node) {
      return named == exchange->path.end() ? node.kind == msg::NodeKind::frontend
                                           : node.name == named->second;
    });
    if (found == cluster.nodes.end()) return exchange->refuse(ErrorCode::not_found, "no such node");
    msg::Node node = *found;
    next(std::move(cluster), std::move(node));
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

void with_states(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                 std::function<void(NodeStatesById)> next) {
  exchange->ask(msg::ListNodeStatuses{.cluster_id = cluster_id},
                [next = std::move(next)](msg::NodeStatuses listed) {
                  NodeStatesById states;
                  for (auto& state : listed.nodes) {
                    std::string id = state.node_id.value;
                    states[std::move(id)] = std::move(state);
                  }
                  next(std::move(states));
                });
}

}  // namespace nucleus::gateway

// REST v1: clusters (docs/rest-v1.md, Clusters).
#include "gateway/routing/pages.hpp"
#include "gateway/v1/json.hpp"
#include "gateway/v1/routes.hpp"
#include "gateway/v1/whole_list.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

struct ClusterList {
  std::vector<msg::Cluster> clusters = {};
  std::map<std::string, std::vector<msg::Node>> nodes = {};  // by cluster
};

void reply_list(const ExchangePtr& exchange, const ClusterList& list,
                const NodeStatusesById& statuses) {
  WholeList whole;
  for (const auto& cluster : list.clusters)
    if (const auto nodes = list.nodes.find(cluster.cluster_id.value);
        nodes != list.nodes.end())  // else it was removed meanwhile
      whole.add(v1_cluster(cluster, nodes->second, statuses));
  whole.reply(exchange, "/v2/clusters");
}

void list_clusters(const ExchangePtr& exchange) {
  auto list = std::make_shared<ClusterList>();
  const auto viewer = msg::viewer_of(exchange->who);
  const auto read_statuses = [exchange, list] {
    // Of one cluster, its statuses alone; of many, those of all nodes at once.
    const bool is_one = list->clusters.size() == 1;
    with_statuses(exchange, is_one ? list->clusters.front().cluster_id : msg::ClusterId{},
                  [exchange, list](const NodeStatusesById& statuses) {
                    reply_list(exchange, *list, statuses);
                  });
  };
  const auto read_nodes = [exchange, list, viewer, read_statuses] {
    if (list->clusters.empty()) return exchange->reply(200, Json::array());
    for_each_page<msg::ListNodes>(
        exchange, {.viewer = viewer},
        [list](msg::Nodes page) {
          for (auto& node : page.nodes)
            list->nodes[node.cluster_id.value].push_back(std::move(node));
        },
        read_statuses);
  };
  for_each_page<msg::ListClusters>(
      exchange, {.viewer = viewer},
      [list](msg::Clusters page) {
        std::ranges::move(page.clusters, std::back_inserter(list->clusters));
      },
      read_nodes);
}

void get_cluster(const ExchangePtr& exchange) {
  const msg::ClusterId id{exchange->path["cluster"]};
  with_nodes(exchange, id, [exchange, id](ClusterNodes found) {
    with_statuses(exchange, id,
                  [exchange, found = std::move(found)](const NodeStatusesById& statuses) {
                    exchange->reply(200, v1_cluster(found.cluster, found.nodes, statuses));
                  });
  });
}

/// Old clients expect a text. The cluster is removed with its volumes.
void remove_cluster(const ExchangePtr& exchange) {
  const msg::ClusterId id{exchange->path["cluster"]};
  exchange->ask(msg::RemoveCluster{.cluster_id = id, .viewer = msg::viewer_of(exchange->who)},
                [exchange, id](const msg::Done&) {
                  exchange->reply(200, Json("Cluster " + id.value + " is removed"));
                });
}

void refuse_creation(const ExchangePtr& exchange) {
  exchange->refuse(ErrorCode::invalid_argument, "Clusters are created by POST /v2/clusters");
}

}  // namespace

void add_v1_cluster_routes(Router& router) {
  router.add_cached("/v1/cluster/", msg::Right::read, list_clusters);
  router.add("PUT", "/v1/cluster/", msg::Right::define, refuse_creation);
  router.add_cached("/v1/cluster/{cluster}/", msg::Right::read, get_cluster);
  router.add("DELETE", "/v1/cluster/{cluster}/", msg::Right::define, remove_cluster);
}

void add_v1_routes(Router& router, const FileWork& work) {
  add_v1_cluster_routes(router);
  add_v1_node_routes(router);
  add_v1_computeset_routes(router);
  add_v1_image_routes(router, work);
  add_v1_people_routes(router);
  add_v1_session_routes(router);
}

}  // namespace nucleus::gateway

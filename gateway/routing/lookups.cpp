#include "gateway/routing/lookups.hpp"

#include "gateway/json/numbers.hpp"
#include "gateway/routing/origin.hpp"
#include "gateway/routing/pages.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void add_to(NodeStatusesById& statuses, msg::NodeStatuses page) {
  for (auto& status : page.nodes) {
    std::string id = status.node_id.value;
    statuses[std::move(id)] = std::move(status);
  }
}

}  // namespace

msg::NodeRef node_of_path(const Exchange& exchange) {
  const std::string& cluster = exchange.path.at("cluster");
  const auto node = exchange.path.find("node");
  return {.cluster_id = {cluster}, .name = node == exchange.path.end() ? cluster : node->second};
}

void with_cluster(const ExchangePtr& exchange, std::function<void(msg::Cluster)> next) {
  with_cluster(exchange, {exchange->path.at("cluster")}, std::move(next));
}

void with_cluster(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                  std::function<void(msg::Cluster)> next) {
  exchange->ask(
      msg::ListClusters{.viewer = msg::viewer_of(exchange->who), .cluster_id = cluster_id},
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

core::Result<msg::ComputesetId> computeset_of_path(const Exchange& exchange) {
  const auto id = whole_number<msg::ComputesetId>(exchange.path.at("id"));
  if (id && *id > 0) return *id;
  return core::refuse(ErrorCode::not_found, "no such computeset");
}

void with_computeset(const ExchangePtr& exchange, std::function<void(msg::Computeset)> next) {
  const auto id = computeset_of_path(*exchange);
  if (!id) return exchange->refuse(id.error());
  const msg::ListComputesets request{.viewer = msg::viewer_of(exchange->who), .computeset_id = *id};
  exchange->ask(request, [exchange, next = std::move(next)](const msg::Computesets& found) {
    if (found.computesets.empty())
      return exchange->refuse(ErrorCode::not_found, "no such computeset");
    next(found.computesets.front());
  });
}

void with_statuses(const ExchangePtr& exchange, const msg::ClusterId& cluster_id,
                   std::function<void(NodeStatusesById)> next) {
  auto statuses = std::make_shared<NodeStatusesById>();
  for_each_page<msg::ListNodeStatuses>(
      exchange, {.viewer = msg::viewer_of(exchange->who), .cluster_id = cluster_id},
      [statuses](msg::NodeStatuses page) { add_to(*statuses, std::move(page)); },
      [statuses, next = std::move(next)] { next(std::move(*statuses)); });
}

void with_status(const ExchangePtr& exchange, const msg::Node& node,
                 std::function<void(NodeStatusesById)> next) {
  // A node that the scheduler does not know yet has no status.
  exchange->try_ask(msg::ListNodeStatuses{.viewer = msg::viewer_of(exchange->who),
                                          .cluster_id = node.cluster_id,
                                          .name = node.name},
                    [exchange, next = std::move(next)](core::Result<msg::NodeStatuses> listed) {
                      if (!listed && listed.error().code != ErrorCode::not_found)
                        return exchange->refuse(listed.error());
                      NodeStatusesById statuses;
                      if (listed) add_to(statuses, std::move(*listed));
                      next(std::move(statuses));
                    });
}

namespace {

/// Requests pages until the statuses of `count` nodes are read: a page may be shorter.
void gather_statuses(const ExchangePtr& exchange, msg::ListNodeStatuses request, std::size_t count,
                     std::shared_ptr<NodeStatusesById> statuses,
                     std::function<void(NodeStatusesById)> next) {
  request.page.limit = static_cast<std::uint32_t>(count - statuses->size());
  exchange->ask(request, [=](msg::NodeStatuses page) mutable {
    request.page.after = page.next;
    add_to(*statuses, std::move(page));
    if (request.page.after.empty() || statuses->size() >= count) return next(std::move(*statuses));
    gather_statuses(exchange, std::move(request), count, statuses, std::move(next));
  });
}

}  // namespace

void with_statuses_of(const ExchangePtr& exchange, const msg::Nodes& nodes,
                      const std::string& after, std::function<void(NodeStatusesById)> next) {
  if (nodes.nodes.empty()) return next({});
  gather_statuses(exchange,
                  {.viewer = msg::viewer_of(exchange->who),
                   .cluster_id = nodes.cluster.cluster_id,
                   .page = {.after = after}},
                  nodes.nodes.size(), std::make_shared<NodeStatusesById>(), std::move(next));
}

const msg::NodeStatus& status_of(const msg::Node& node, const NodeStatusesById& statuses) {
  static const msg::NodeStatus none{.state = msg::NodeState::nostate};
  const auto found = statuses.find(node.node_id.value);
  return found == statuses.end() ? none : found->second;
}

void with_ticket(const ExchangePtr& exchange, msg::ConsoleKind kind,
                 std::function<void(const msg::Node&, const msg::ConsoleTicket&)> next) {
  const auto issue = [exchange, kind, next = std::move(next)](const msg::Node& node,
                                                              const msg::HostId& host_id) {
    exchange->ask(msg::IssueTicket{.node_id = node.node_id,
                                   .kind = kind,
                                   .host_id = host_id,
                                   .person_id = exchange->who.person_id,
                                   .project_id = node.project_id,
                                   .token_id = exchange->who.token_id,
                                   .person_uid = exchange->who.person_uid,
                                   .cluster_id = node.cluster_id,
                                   .node_name = node.name,
                                   .origin = origin_of(exchange->base_url)},
                  [node, next](const msg::ConsoleTicket& ticket) { next(node, ticket); });
  };
  with_node(exchange, [exchange, issue](const msg::Node& node) {
    with_status(exchange, node, [exchange, node, issue](const NodeStatusesById& statuses) {
      const auto status = status_of(node, statuses);
      const bool is_active = status.state == msg::NodeState::active || !exchange->is_v1();
      if (status.host_id.empty() || !is_active)
        return exchange->refuse(ErrorCode::wrong_state, "The VM is not running");
      exchange->ask(msg::ListHosts{.host_id = status.host_id}, [exchange, node, status,
                                                                issue](const msg::Hosts& found) {
        if (!found.hosts.empty() && found.hosts.front().driver == "simulated")
          return exchange->refuse(ErrorCode::wrong_state,
                                  "the node is on a simulated host, which has no consoles");
        issue(node, status.host_id);
      });
    });
  });
}

}  // namespace nucleus::gateway

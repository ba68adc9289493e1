#include "gateway/v2.hpp"

#include "gateway/lookups.hpp"
#include "messages/console.hpp"
#include "messages/image_store.hpp"
#include "messages/overhead.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

Json cluster_json(const msg::ClusterWithNodes& cluster, const NodeStatesById& states) {
  Json body = json_of(cluster.cluster);
  body["nodes"] = Json::array();
  for (const auto& node : cluster.nodes) {
    Json entry = json_of(node);
    if (const auto state = states.find(node.node_id.value); state != states.end())
      entry.update(json_of(state->second));
    body["nodes"].push_back(std::move(entry));
  }
  return body;
}

void list_clusters(const ExchangePtr& exchange) {
  with_clusters(exchange, [exchange](std::vector<msg::ClusterWithNodes> clusters) {
    with_states(exchange, {},
                [exchange, clusters = std::move(clusters)](const NodeStatesById& states) {
                  Json list = Json::array();
                  for (const auto& cluster : clusters)
                    list.push_back(cluster_json(cluster, states));
                  exchange->reply(200, Json{{"clusters", list}});
                });
  });
}

void get_cluster(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](msg::ClusterWithNodes cluster) {
    const auto id = cluster.cluster.cluster_id;
    with_states(exchange, id,
                [exchange, cluster = std::move(cluster)](const NodeStatesById& states) {
                  exchange->reply(200, cluster_json(cluster, states));
                });
  });
}

void list_images(const ExchangePtr& exchange) {
  exchange->ask(msg::ListImages{.projects = exchange->who.projects},
                [exchange](const msg::Images& images) { exchange->reply(200, json_of(images)); });
}

void list_hosts(const ExchangePtr& exchange) {
  exchange->ask(msg::ListHosts{},
                [exchange](const msg::Hosts& hosts) { exchange->reply(200, json_of(hosts)); });
}

void issue_console(const ExchangePtr& exchange) {
  const Json body = Json::parse(exchange->request.body, nullptr, false);
  const std::string said =
      body.is_object() && body.contains("kind") && body["kind"].is_string() ? body["kind"] : "";
  const auto kind = msg::enum_of<msg::ConsoleKind>(said);
  if (kind == msg::ConsoleKind::unknown)
    return exchange->refuse(ErrorCode::invalid_argument, "kind must be serial or vnc", "kind");
  with_node(exchange, [exchange, kind](const msg::ClusterWithNodes&, const msg::Node& node) {
    with_states(exchange, node.cluster_id, [exchange, kind, node](const NodeStatesById& states) {
      const auto state = states.find(node.node_id.value);
      if (state == states.end() || state->second.host_id.empty())
        return exchange->refuse(ErrorCode::wrong_state, "The VM is not running");
      exchange->ask(
          msg::IssueTicket{.node_id = node.node_id,
                           .kind = kind,
                           .host_id = state->second.host_id,
                           .person_id = exchange->who.person_id},
          [exchange](const msg::ConsoleTicket& ticket) { exchange->reply(201, json_of(ticket)); });
    });
  });
}

void measure(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](const msg::ClusterWithNodes& cluster) {
    exchange->ask(msg::MeasureCluster{.cluster_id = cluster.cluster.cluster_id},
                  [exchange](const msg::Done&) { exchange->reply(202, Json::object()); });
  });
}

void get_overhead(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](const msg::ClusterWithNodes& cluster) {
    exchange->ask(
        msg::GetReport{.cluster_id = cluster.cluster.cluster_id},
        [exchange](const msg::OverheadReport& report) { exchange->reply(200, json_of(report)); });
  });
}

}  // namespace

void add_v2_routes(Router& router, EventStreams& streams) {
  router.add("GET", "/v2/clusters", msg::Right::read, list_clusters);
  router.add("GET", "/v2/clusters/{cluster}", msg::Right::read, get_cluster);
  router.add("POST", "/v2/clusters/{cluster}/nodes/{node}/console", msg::Right::console,
             issue_console);
  router.add("GET", "/v2/clusters/{cluster}/overhead", msg::Right::read, get_overhead);
  router.add("POST", "/v2/clusters/{cluster}/overhead", msg::Right::power, measure);
  router.add("GET", "/v2/images", msg::Right::read, list_images);
  router.add("GET", "/v2/hosts", msg::Right::operate, list_hosts);
  router.add("GET", "/v2/events", msg::Right::read,
             [&streams](const ExchangePtr& exchange) { streams.open(exchange); });
}

}  // namespace nucleus::gateway

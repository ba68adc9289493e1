// v2: the nodes of a cluster, their power, ISO and console.
#include <algorithm>

#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/console.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_nodes(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](msg::ClusterWithNodes cluster) {
    const auto id = cluster.cluster.cluster_id;
    with_states(exchange, id,
                [exchange, cluster = std::move(cluster)](const NodeStatesById& states) {
                  Collection all{.name = "nodes", .key = "name"};
                  for (const auto& node : cluster.nodes)
                    all.items.push_back(node_json(node, states));
                  reply_page(exchange, std::move(all));
                });
  });
}

void get_node(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::ClusterWithNodes&, msg::Node node) {
    const auto id = node.cluster_id;
    with_states(exchange, id, [exchange, node = std::move(node)](const NodeStatesById& states) {
      reply_one(exchange, 200, node_json(node, states), node.revision);
    });
  });
}

/// Answers with the nodes that are new, and the ETag of the cluster.
void reply_added(const ExchangePtr& exchange, const std::vector<msg::Node>& before) {
  with_cluster(exchange, [exchange, before](const msg::ClusterWithNodes& after) {
    Json added = Json::array();
    for (const auto& node : after.nodes)
      if (std::ranges::find(before, node.node_id, &msg::Node::node_id) == before.end())
        added.push_back(json_of(node));
    reply_one(exchange, 201, Json{{"nodes", added}}, after.cluster.revision);
  });
}

void add_nodes(const ExchangePtr& exchange) {
  auto body = if_match(*exchange, body_as<msg::AddNodes>(*exchange, {"count", "size", "image_id"}));
  with_cluster(exchange,
               [exchange, body = std::move(body)](const msg::ClusterWithNodes& cluster) mutable {
                 if (!body) return exchange->refuse(body.error());
                 body->cluster_id = cluster.cluster.cluster_id;
                 exchange->ask(*body, [exchange, before = cluster.nodes](const msg::Cluster&) {
                   reply_added(exchange, before);
                 });
               });
}

/// Only an ISO that the node's project can see; another's looks like none.
void with_iso(const ExchangePtr& exchange, const msg::ProjectId& project,
              const std::optional<msg::ImageId>& iso, std::function<void()> next) {
  if (!iso || iso->empty()) return next();
  exchange->ask(msg::ListImages{.projects = {project}},
                [exchange, iso = *iso, next = std::move(next)](const msg::Images& images) {
                  const bool is_there =
                      std::ranges::any_of(images.images, [&](const msg::Image& image) {
                        return image.image_id == iso && image.format == msg::ImageFormat::iso;
                      });
                  if (is_there) return next();
                  exchange->refuse(ErrorCode::not_found, "no such ISO", "iso_id");
                });
}

void change_node(const ExchangePtr& exchange, core::Result<msg::ChangeNode> body) {
  body = if_match(*exchange, std::move(body));
  with_node(exchange, [exchange, body = std::move(body)](const msg::ClusterWithNodes&,
                                                         const msg::Node& node) mutable {
    if (!body) return exchange->refuse(body.error());
    body->node_id = node.node_id;
    with_iso(exchange, node.project_id, body->iso_id, [exchange, body = *body] {
      exchange->ask(body, [exchange](const msg::Node& changed) {
        reply_one(exchange, 200, json_of(changed), changed.revision);
      });
    });
  });
}

void change(const ExchangePtr& exchange) {
  change_node(exchange,
              body_as<msg::ChangeNode>(*exchange, {"name", "cpus", "memory_mb", "iso_id"}));
}

void attach_iso(const ExchangePtr& exchange) {
  auto body = body_as<msg::ChangeNode>(*exchange, {"iso_id"});
  if (body && (!body->iso_id || body->iso_id->empty()))
    body = core::refuse(ErrorCode::invalid_argument, "iso_id is missing", "iso_id");
  change_node(exchange, std::move(body));
}

void detach_iso(const ExchangePtr& exchange) {
  change_node(exchange, msg::ChangeNode{.iso_id = msg::ImageId{}});
}

void remove_node(const ExchangePtr& exchange) {
  const auto revision = if_match(*exchange);
  with_node(exchange, [exchange, revision](const msg::ClusterWithNodes&, const msg::Node& node) {
    if (!revision) return exchange->refuse(revision.error());
    exchange->ask(msg::RemoveNode{.node_id = node.node_id, .if_revision = *revision},
                  [exchange](const msg::Done&) { exchange->reply_nothing(); });
  });
}

void power_node(const ExchangePtr& exchange) {
  const auto said = read_action(*exchange);
  with_node(exchange, [exchange, said](const msg::ClusterWithNodes&, const msg::Node& node) {
    if (!said) return exchange->refuse(said.error());
    exchange->ask(
        msg::PowerNode{.node_id = node.node_id, .action = msg::enum_of<msg::PowerAction>(*said)},
        [exchange](const msg::NodeStatus& state) { reply_one(exchange, 202, json_of(state)); });
  });
}

void issue_console(const ExchangePtr& exchange) {
  const auto body = parse_object(exchange->request.body);
  const bool is_said = body && body->contains("kind") && body->at("kind").is_string();
  const auto kind = msg::enum_of<msg::ConsoleKind>(is_said ? std::string(body->at("kind")) : "");
  with_node(exchange, [exchange, kind](const msg::ClusterWithNodes&, const msg::Node& node) {
    if (kind == msg::ConsoleKind::unknown)
      return exchange->refuse(ErrorCode::invalid_argument, "kind must be serial or vnc", "kind");
    with_states(exchange, node.cluster_id, [exchange, kind, node](const NodeStatesById& states) {
      const auto state = states.find(node.node_id.value);
      if (state == states.end() || state->second.host_id.empty())
        return exchange->refuse(ErrorCode::wrong_state, "The VM is not running");
      exchange->ask(msg::IssueTicket{.node_id = node.node_id,
                                     .kind = kind,
                                     .host_id = state->second.host_id,
                                     .person_id = exchange->who.person_id},
                    [exchange](const msg::ConsoleTicket& ticket) {
                      exchange->reply(201, json_of(ticket), {{"Cache-Control", "no-store"}});
                    });
    });
  });
}

}  // namespace

void add_v2_node_routes(Router& router, EventStreams& streams) {
  const std::string nodes = "/v2/clusters/{cluster}/nodes";
  router.add_cached(
      nodes, msg::Right::read,
      watchable<msg::NodeDefined, msg::NodeRemoved, msg::NodeChanged>(streams, list_nodes));
  router.add("POST", nodes, msg::Right::define, add_nodes);
  router.add_cached(nodes + "/{node}", msg::Right::read, get_node);
  router.add("PATCH", nodes + "/{node}", msg::Right::define, change);
  router.add("DELETE", nodes + "/{node}", msg::Right::define, remove_node);
  router.add("POST", nodes + "/{node}/power", msg::Right::power, power_node);
  router.add("PUT", nodes + "/{node}/iso", msg::Right::images, attach_iso);
  router.add("DELETE", nodes + "/{node}/iso", msg::Right::images, detach_iso);
  router.add("POST", nodes + "/{node}/console", msg::Right::console, issue_console);
}

}  // namespace nucleus::gateway

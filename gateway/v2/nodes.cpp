// v2: the nodes of a cluster, their power, ISO and console.
#include <algorithm>

#include "gateway/routing/pages.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_nodes(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  const msg::ClusterId id{exchange->path["cluster"]};
  exchange->ask(
      msg::ListNodes{.viewer = msg::viewer_of(exchange->who), .cluster_id = id, .page = *page},
      [exchange, after = page->after](const msg::Nodes& found) {
        with_statuses_of(
            exchange, found, after, [exchange, found](const NodeStatusesById& statuses) {
              ListPage list{.name = "nodes",
                            .next = found.next,
                            .fields = field_names(
                                {&msg::type_of<msg::Node>, &msg::type_of<msg::NodeStatus>})};
              for (const auto& node : found.nodes)
                list.entries.push_back(node_json(node, statuses));
              for (const auto& node : list.entries) list.headers.merge(node_headers(node));
              reply_list(exchange, std::move(list));
            });
      });
}

void get_node(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::Node& node) {
    with_status(exchange, node, [exchange, node](const NodeStatusesById& statuses) {
      const Json body = node_json(node, statuses);
      reply_one(exchange, 200, body, node.revision, node_headers(body));
    });
  });
}

/// Answers with the new nodes and the ETag of the cluster.
void add_nodes(const ExchangePtr& exchange) {
  auto body = if_match(*exchange, body_as<msg::AddNodes>(*exchange, {"count", "size", "image_id"}));
  if (!body) return exchange->refuse(body.error());
  body->cluster_id = {exchange->path["cluster"]};
  body->viewer = msg::viewer_of(exchange->who);
  exchange->ask(*body, [exchange](const msg::NodesAdded& added) {
    auto nodes = std::make_shared<Json>(Json::array());
    for_each_page<msg::ListNodes>(
        exchange,
        {.viewer = msg::viewer_of(exchange->who),
         .cluster_id = added.cluster.cluster_id,
         .page = {.after = std::to_string(added.first_index - 1)}},
        [nodes](const msg::Nodes& page) {
          for (const auto& node : page.nodes) nodes->push_back(json_of(node));
        },
        [exchange, nodes, revision = added.cluster.revision] {
          reply_one(exchange, 201, Json{{"nodes", std::move(*nodes)}}, revision);
        });
  });
}

/// Calls `next` if the ISO is one that the project sees; any other is 404.
void with_iso(const ExchangePtr& exchange, const msg::ProjectId& project, const msg::ImageId& iso,
              std::function<void()> next) {
  exchange->ask(msg::ListImages{.viewer = {.projects = {project}},
                                .name = iso.value.substr(iso.value.find('/') + 1),
                                .format = msg::ImageFormat::iso},
                [exchange, iso, next = std::move(next)](const msg::Images& images) {
                  const auto is_wanted = [&](const msg::Image& image) {
                    return image.image_id == iso && image.format == msg::ImageFormat::iso;
                  };
                  if (std::ranges::any_of(images.images, is_wanted)) return next();
                  exchange->refuse(ErrorCode::not_found, "no such ISO", "iso_id");
                });
}

void change_node(const ExchangePtr& exchange, core::Result<msg::ChangeNode> change) {
  change = if_match(*exchange, std::move(change));
  if (!change) return exchange->refuse(change.error());
  if (change->iso_id && !msg::may(exchange->who, msg::Right::images))
    return exchange->refuse_right(msg::Right::images);
  change->node = node_of_path(*exchange);
  const auto apply = [exchange, change = *change] { apply_change(exchange, change); };
  if (!change->iso_id || change->iso_id->empty()) return apply();
  with_node(exchange, [exchange, iso = *change->iso_id, apply](const msg::Node& node) {
    with_iso(exchange, node.project_id, iso, apply);
  });
}

void change_nodes(const ExchangePtr& exchange, core::Result<msg::ChangeNodes> change) {
  change = if_match(*exchange, std::move(change));
  if (!change) return exchange->refuse(change.error());
  change->cluster_id = {exchange->path["cluster"]};
  const auto apply = [exchange, change = *change] { apply_change(exchange, change); };
  if (!change->iso_id || change->iso_id->empty()) return apply();
  with_cluster(exchange, [exchange, iso = *change->iso_id, apply](const msg::Cluster& cluster) {
    with_iso(exchange, cluster.project_id, iso, apply);
  });
}

void change_several(const ExchangePtr& exchange) {
  change_nodes(exchange,
               body_as<msg::ChangeNodes>(*exchange, {"nodes", "names", "save_at_power_off",
                                                     "save_every_minutes", "boots_from_network"}));
}

void attach_iso_to_nodes(const ExchangePtr& exchange) {
  auto body = body_as<msg::ChangeNodes>(*exchange, {"nodes", "iso_id"});
  if (body && !body->iso_id)
    body = core::refuse(ErrorCode::invalid_argument, "iso_id must be set", "iso_id");
  change_nodes(exchange, std::move(body));
}

void change(const ExchangePtr& exchange) {
  change_node(exchange, body_as<msg::ChangeNode>(
                            *exchange, {"name", "cpus", "memory_mb", "iso_id", "save_at_power_off",
                                        "save_every_minutes", "boots_from_network"}));
}

void attach_iso(const ExchangePtr& exchange) {
  auto body = body_as<msg::ChangeNode>(*exchange, {"iso_id"});
  if (body && (!body->iso_id || body->iso_id->empty()))
    body = core::refuse(ErrorCode::invalid_argument, "iso_id must be set", "iso_id");
  change_node(exchange, std::move(body));
}

void detach_iso(const ExchangePtr& exchange) {
  change_node(exchange, msg::ChangeNode{.iso_id = msg::ImageId{}});
}

void remove_node(const ExchangePtr& exchange) {
  const auto revision = if_match(*exchange);
  if (!revision) return exchange->refuse(revision.error());
  exchange->ask(msg::RemoveNode{.node = node_of_path(*exchange),
                                .viewer = msg::viewer_of(exchange->who),
                                .if_revision = *revision},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

void power_node(const ExchangePtr& exchange) {
  const auto action = read_action(*exchange, {"action", "plan"});
  if (!action) return exchange->refuse(action.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  const msg::PowerNode request{.node = node_of_path(*exchange),
                               .viewer = msg::viewer_of(exchange->who),
                               .action = msg::enum_of<msg::PowerAction>(*action)};
  if (*plan) return reply_plan(exchange, {.power_node = request});
  exchange->ask(request, [exchange](const msg::NodeStatus& status) {
    reply_one(exchange, 202, json_of(status));
  });
}

void power_nodes(const ExchangePtr& exchange) {
  auto body = body_as<msg::PowerNodes>(*exchange, {"nodes", "action", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto action = read_action(*exchange, {"nodes", "action", "plan"});
  if (!action) return exchange->refuse(action.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  body->cluster_id = {exchange->path["cluster"]};
  body->viewer = msg::viewer_of(exchange->who);
  body->action = msg::enum_of<msg::PowerAction>(*action);
  if (*plan) return reply_plan(exchange, {.power_nodes = std::move(*body)});
  exchange->ask(*body, [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

void issue_console(const ExchangePtr& exchange) {
  const auto body = read_body(*exchange, {"kind"});
  if (!body) return exchange->refuse(body.error());
  const auto name = body->find("kind");
  const auto kind = msg::enum_of<msg::ConsoleKind>(
      name != body->end() && name->is_string() ? name->get<std::string>() : "");
  if (kind == msg::ConsoleKind::unknown)
    return exchange->refuse(ErrorCode::invalid_argument, "kind must be serial or vnc", "kind");
  with_ticket(exchange, kind, [exchange](const msg::Node&, const msg::ConsoleTicket& ticket) {
    exchange->reply(201, json_of(ticket), {{"Cache-Control", "no-store"}});
  });
}

}  // namespace

void add_v2_node_routes(Router& router, EventStreams& streams) {
  const std::string nodes = "/v2/clusters/{cluster}/nodes";
  router
      .add_cached(
          nodes, msg::Right::read,
          watchable<msg::NodeDefined, msg::NodeRemoved, msg::NodeChanged>(streams, list_nodes))
      .takes_page()
      .takes({"watch"});
  router.add("POST", nodes, msg::Right::define, add_nodes);
  router.add("PATCH", nodes, msg::Right::define, change_several);
  router.add("POST", "/v2/clusters/{cluster}/power", msg::Right::power, power_nodes)
      .takes({"plan"});
  router.add("PUT", "/v2/clusters/{cluster}/iso", msg::Right::images, attach_iso_to_nodes);
  router.add_cached(nodes + "/{node}", msg::Right::read, get_node).takes({"fields"});
  router.add("PATCH", nodes + "/{node}", msg::Right::define, change);
  router.add("DELETE", nodes + "/{node}", msg::Right::define, remove_node);
  router.add("POST", nodes + "/{node}/power", msg::Right::power, power_node).takes({"plan"});
  router.add("PUT", nodes + "/{node}/iso", msg::Right::images, attach_iso);
  router.add("DELETE", nodes + "/{node}/iso", msg::Right::images, detach_iso);
  router.add("POST", nodes + "/{node}/console", msg::Right::console, issue_console);
}

}  // namespace nucleus::gateway

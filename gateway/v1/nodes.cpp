// REST v1: clusters, frontends and computes; power, ISO, names, consoles (compat 1.2, rows 1-14).
#include "gateway/routing/lookups.hpp"
#include "gateway/v1/json.hpp"
#include "gateway/v1/routes.hpp"
#include "messages/console.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_clusters(const ExchangePtr& exchange) {
  with_clusters(exchange, [exchange](std::vector<msg::ClusterWithNodes> clusters) {
    // One cluster's states are asked for alone; of many, all at once.
    const auto one = clusters.size() == 1 ? clusters.front().cluster.cluster_id : msg::ClusterId{};
    with_states(exchange, one,
                [exchange, clusters = std::move(clusters)](const NodeStatesById& states) {
                  Json list = Json::array();
                  for (const auto& cluster : clusters) list.push_back(v1_cluster(cluster, states));
                  exchange->reply(200, list);
                });
  });
}

void get_cluster(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](msg::ClusterWithNodes cluster) {
    const auto id = cluster.cluster.cluster_id;
    with_states(exchange, id,
                [exchange, cluster = std::move(cluster)](const NodeStatesById& states) {
                  exchange->reply(200, v1_cluster(cluster, states));
                });
  });
}

void get_node(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::ClusterWithNodes&, msg::Node node) {
    const auto id = node.cluster_id;
    with_states(exchange, id, [exchange, node = std::move(node)](const NodeStatesById& states) {
      exchange->reply(200, node.kind == msg::NodeKind::frontend ? v1_frontend(node, states)
                                                                : v1_compute(node, states));
    });
  });
}

Handler power_node(msg::PowerAction action) {
  return [action](const ExchangePtr& exchange) {
    with_node(exchange, [exchange, action](const msg::ClusterWithNodes&, const msg::Node& node) {
      exchange->ask(msg::PowerNode{.node_id = node.node_id, .action = action},
                    [exchange](const msg::NodeStatus&) { exchange->reply_nothing(); });
    });
  };
}

/// `public/x.iso` is what old clients make of any name: it may be one of the caller's own.
std::optional<msg::ImageId> find_iso(const std::vector<msg::Image>& images,
                                     const std::string& name) {
  std::optional<msg::ImageId> own;
  const std::string bare = name.starts_with("public/") ? name.substr(7) : name;
  for (const auto& image : images) {
    if (image.format != msg::ImageFormat::iso) continue;
    const auto& id = image.image_id.value;
    if (id == name || id == "public/" + bare) return image.image_id;
    if (id == bare || id.substr(id.find('/') + 1) == bare) own = image.image_id;
  }
  return own;
}

void attach_iso(const ExchangePtr& exchange) {
  const auto said = exchange->request.query.find("iso_name");
  if (said == exchange->request.query.end())
    return exchange->refuse(ErrorCode::invalid_argument, "Please provide the iso_name", "iso_name");
  with_node(exchange,
            [exchange, name = said->second](const msg::ClusterWithNodes&, const msg::Node& node) {
              const auto attach = [exchange, node_id = node.node_id](const msg::ImageId& iso_id) {
                exchange->ask(msg::AttachIso{.node_id = node_id, .iso_id = iso_id},
                              [exchange](const msg::Done&) { exchange->reply_nothing(); });
              };
              if (name.empty()) return attach({});
              exchange->ask(msg::ListImages{.projects = exchange->who.projects},
                            [exchange, name, attach](const msg::Images& images) {
                              const auto iso = find_iso(images.images, name);
                              if (iso) return attach(*iso);
                              exchange->refuse(ErrorCode::invalid_argument,
                                               "There is no iso " + msg::shown(name), "iso_name");
                            });
            });
}

void rename(const ExchangePtr& exchange) {
  const auto parsed = parse_object(exchange->request.body);
  if (!parsed) return exchange->refuse(parsed.error());
  const Json& body = *parsed;
  if (!body.contains("name") || !body["name"].is_string())
    return exchange->refuse(ErrorCode::invalid_argument, "Please provide the name", "name");
  const std::string name = body["name"];
  with_node(exchange, [exchange, name](const msg::ClusterWithNodes&, const msg::Node& node) {
    exchange->ask(msg::RenameNode{.node_id = node.node_id, .name = name},
                  [exchange](const msg::Done&) { exchange->reply_nothing(); });
  });
}

/// 303 to the console page; the ticket stands behind the #, which no browser sends anywhere.
void open_console(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::ClusterWithNodes&, const msg::Node& node) {
    with_states(exchange, node.cluster_id, [exchange, node](const NodeStatesById& states) {
      const auto state = states.find(node.node_id.value);
      if (state == states.end() || state->second.host_id.empty() ||
          state->second.state != msg::NodeState::active)
        return exchange->refuse(ErrorCode::wrong_state, "The VM is not running");
      exchange->ask(msg::IssueTicket{.node_id = node.node_id,
                                     .kind = msg::ConsoleKind::serial,
                                     .host_id = state->second.host_id,
                                     .person_id = exchange->who.person_id},
                    [exchange, node](const msg::ConsoleTicket& ticket) {
                      const std::string location =
                          exchange->base_url + "/console/#url=" + ticket.url +
                          "&ticket=" + ticket.ticket + "&node=" + node.name;
                      exchange->reply(303, Json(location), {{"Location", location}});
                    });
    });
  });
}

/// What its users would have expected of a stub of old: the cluster is gone, volumes and all.
void remove_cluster(const ExchangePtr& exchange) {
  with_cluster(exchange, [exchange](const msg::ClusterWithNodes& cluster) {
    const auto id = cluster.cluster.cluster_id;
    exchange->ask(msg::RemoveCluster{.cluster_id = id}, [exchange, id](const msg::Done&) {
      exchange->reply(200, Json("Cluster " + id.value + " is removed"));
    });
  });
}

void remove_compute(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::ClusterWithNodes&, const msg::Node& node) {
    if (node.kind == msg::NodeKind::frontend)
      return exchange->refuse(ErrorCode::not_found, "no such compute");
    exchange->ask(msg::RemoveNode{.node_id = node.node_id}, [exchange, node](const msg::Done&) {
      exchange->reply(200, Json("Compute " + node.name + " is removed"));
    });
  });
}

void not_here(const ExchangePtr& exchange) {
  exchange->refuse(ErrorCode::invalid_argument, "Clusters are made by POST /v2/clusters");
}

}  // namespace

void add_v1_node_routes(Router& router) {
  router.add_cached("/v1/cluster/", msg::Right::read, list_clusters);
  router.add("PUT", "/v1/cluster/", msg::Right::define, not_here);
  router.add_cached("/v1/cluster/{cluster}/", msg::Right::read, get_cluster);
  router.add("DELETE", "/v1/cluster/{cluster}/", msg::Right::define, remove_cluster);
  for (const std::string node :
       {"/v1/cluster/{cluster}/frontend/", "/v1/cluster/{cluster}/compute/{node}/"}) {
    router.add_cached(node, msg::Right::read, get_node);
    for (const auto action :
         {msg::PowerAction::poweron, msg::PowerAction::poweroff, msg::PowerAction::shutdown,
          msg::PowerAction::reboot, msg::PowerAction::reset})
      router.add("PUT", node + std::string(msg::name_of(action)), msg::Right::power,
                 power_node(action));
    router.add("PUT", node + "attach_iso", msg::Right::images, attach_iso);
    router.add("GET", node + "console/", msg::Right::console, open_console);
  }
  router.add("DELETE", "/v1/cluster/{cluster}/compute/{node}/", msg::Right::define, remove_compute);
  router.add("POST", "/v1/cluster/{cluster}/compute/{node}/rename", msg::Right::define, rename);
}

void add_v1_routes(Router& router, const FileWork& work) {
  add_v1_node_routes(router);
  add_v1_computeset_routes(router);
  add_v1_image_routes(router, work);
  add_v1_person_routes(router);
  add_v1_session_routes(router);
}

}  // namespace nucleus::gateway

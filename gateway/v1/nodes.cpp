// REST v1: frontends and computes; power, ISO, names, consoles (docs/rest-v1.md, Clusters).
#include "gateway/routing/lookups.hpp"
#include "gateway/v1/json.hpp"
#include "gateway/v1/routes.hpp"
#include "messages/console.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void get_node(const ExchangePtr& exchange) {
  with_node(exchange, [exchange](const msg::Node& node) {
    with_status(exchange, node, [exchange, node](const NodeStatusesById& statuses) {
      exchange->reply(200, node.kind == msg::NodeKind::frontend ? v1_frontend(node, statuses)
                                                                : v1_compute(node, statuses));
    });
  });
}

Handler power_node(msg::PowerAction action) {
  return [action](const ExchangePtr& exchange) {
    exchange->ask(msg::PowerNode{.node = node_of_path(*exchange),
                                 .viewer = msg::viewer_of(exchange->who),
                                 .action = action},
                  [exchange](const msg::NodeStatus&) { exchange->reply_nothing(); });
  };
}

/// Old clients put `public/` before any name, so `public/x.iso` also finds one of the caller's.
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
  const auto given = exchange->request.query.find("iso_name");
  if (given == exchange->request.query.end())
    return exchange->refuse(ErrorCode::invalid_argument, "Please provide the iso_name", "iso_name");
  const std::string name = given->second;
  const auto attach = [exchange](const msg::ImageId& iso_id) {
    exchange->ask(msg::ChangeNode{.node = node_of_path(*exchange),
                                  .viewer = msg::viewer_of(exchange->who),
                                  .iso_id = iso_id},
                  [exchange](const msg::Node&) { exchange->reply_nothing(); });
  };
  if (name.empty()) return attach({});
  exchange->ask(msg::ListImages{.viewer = msg::viewer_of(exchange->who),
                                .name = name.substr(name.rfind('/') + 1),
                                .format = msg::ImageFormat::iso,
                                .page = {.limit = msg::page_entries_max}},
                [exchange, name, attach](const msg::Images& images) {
                  const auto iso = find_iso(images.images, name);
                  if (iso) return attach(*iso);
                  exchange->refuse(ErrorCode::invalid_argument, "no such ISO: " + msg::shown(name),
                                   "iso_name");
                });
}

void rename(const ExchangePtr& exchange) {
  const auto body = parse_object(exchange->request.body);
  if (!body) return exchange->refuse(body.error());
  const auto name = body->find("name");
  if (name == body->end() || !name->is_string())
    return exchange->refuse(ErrorCode::invalid_argument, "Please provide the name", "name");
  exchange->ask(msg::ChangeNode{.node = node_of_path(*exchange),
                                .viewer = msg::viewer_of(exchange->who),
                                .name = name->get<std::string>()},
                [exchange](const msg::Node&) { exchange->reply_nothing(); });
}

/// 303 to the console page. The ticket is in the fragment, which browsers do not send.
void open_console(const ExchangePtr& exchange) {
  with_ticket(exchange, msg::ConsoleKind::serial,
              [exchange](const msg::Node& node, const msg::ConsoleTicket& ticket) {
                const std::string location = exchange->base_url + "/console/#url=" + ticket.url +
                                             "&ticket=" + ticket.ticket + "&node=" + node.name;
                exchange->reply(303, Json(location),
                                {{"Location", location}, {"Cache-Control", "no-store"}});
              });
}

void remove_compute(const ExchangePtr& exchange) {
  const auto node = node_of_path(*exchange);
  if (node.name == node.cluster_id.value)  // the frontend
    return exchange->refuse(ErrorCode::not_found, "no such compute");
  exchange->ask(msg::RemoveNode{.node = node, .viewer = msg::viewer_of(exchange->who)},
                [exchange, name = node.name](const msg::Done&) {
                  exchange->reply(200, Json("Compute " + name + " is removed"));
                });
}

}  // namespace

void add_v1_node_routes(Router& router) {
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

}  // namespace nucleus::gateway

// v2: hosts, their classes and prices.
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/host_classes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_hosts(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListHosts{.page = *page}, [exchange](const msg::Hosts& found) {
    reply_list(exchange, "hosts", found.hosts, found.next);
  });
}

void with_host(const ExchangePtr& exchange, std::function<void(msg::Host)> next) {
  exchange->ask(msg::ListHosts{.host_id = {exchange->path["host"]}},
                [exchange, next = std::move(next)](const msg::Hosts& found) {
                  if (found.hosts.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such host");
                  next(found.hosts.front());
                });
}

void get_host(const ExchangePtr& exchange) {
  with_host(exchange,
            [exchange](const msg::Host& host) { reply_one(exchange, 200, json_of(host)); });
}

void change_host(const ExchangePtr& exchange) {
  auto body = body_as<msg::DrainHost>(*exchange, {"is_drained", "reason", "plan"});
  if (body && !sets(*exchange, "is_drained"))
    body = core::refuse(ErrorCode::invalid_argument, "is_drained must be set", "is_drained");
  const auto plan = wants_plan(*exchange);
  if (body && !plan) body = std::unexpected(plan.error());
  with_host(exchange, [exchange, plan, body = std::move(body)](const msg::Host& host) mutable {
    if (!body) return exchange->refuse(body.error());
    body->host_id = host.host_id;
    if (*plan) return reply_plan(exchange, {.drain = std::move(*body)});
    exchange->ask(*body, [exchange](const msg::Done&) { get_host(exchange); });
  });
}

void classify_host(const ExchangePtr& exchange) {
  auto body = body_as<msg::ClassifyHost>(*exchange, {"host_class", "rack", "plan"});
  const auto plan = wants_plan(*exchange);
  if (body && !plan) body = std::unexpected(plan.error());
  if (body && !body->host_class && !body->rack)
    body =
        core::refuse(ErrorCode::invalid_argument, "host_class or rack must be set", "host_class");
  with_host(exchange, [exchange, plan, body = std::move(body)](const msg::Host& host) mutable {
    if (!body) return exchange->refuse(body.error());
    body->host_id = host.host_id;
    if (*plan) return reply_plan(exchange, {.classify_host = std::move(*body)});
    exchange->ask(*body, [exchange](const msg::Host&) { get_host(exchange); });
  });
}

void list_host_classes(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListHostClasses{.page = *page}, [exchange](const msg::HostClasses& found) {
    reply_list(exchange, "classes", found.classes, found.next);
  });
}

void get_host_class(const ExchangePtr& exchange) {
  exchange->ask(msg::ListHostClasses{.name = exchange->path["class"]},
                [exchange](const msg::HostClasses& found) {
                  if (found.classes.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such host class");
                  reply_one(exchange, 200, json_of(found.classes.front()));
                });
}

void define_host_class(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineHostClass>(*exchange, {"price", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  if (!sets(*exchange, "price"))
    return exchange->refuse(ErrorCode::invalid_argument, "price must be set", "price");
  body->name = exchange->path["class"];
  if (*plan) return reply_plan(exchange, {.host_class = std::move(*body)});
  exchange->ask(*body, [exchange](const msg::HostClass& defined) {
    reply_one(exchange, 200, json_of(defined));
  });
}

void remove_host_class(const ExchangePtr& exchange) {
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  const msg::RemoveHostClass request{.name = exchange->path["class"]};
  if (*plan) return reply_plan(exchange, {.remove_host_class = request});
  exchange->ask(request, [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

}  // namespace

void add_v2_host_routes(Router& router, EventStreams& streams) {
  router
      .add("GET", "/v2/hosts", msg::Right::operate,
           watchable<msg::HostChanged>(streams, list_hosts))
      .takes_page()
      .takes({"watch"});
  router.add("GET", "/v2/hosts/{host}", msg::Right::operate, get_host).takes({"fields"});
  router.add("PATCH", "/v2/hosts/{host}", msg::Right::operate, change_host).takes({"plan"});
  router.add("PATCH", "/v2/hosts/{host}/class", msg::Right::operate, classify_host).takes({"plan"});
  router
      .add("GET", "/v2/host-classes", msg::Right::read,
           watchable<msg::HostClassChanged, msg::HostClassRemoved>(streams, list_host_classes))
      .takes_page()
      .takes({"watch"});
  router.add("GET", "/v2/host-classes/{class}", msg::Right::read, get_host_class).takes({"fields"});
  router.add("PUT", "/v2/host-classes/{class}", msg::Right::operate, define_host_class)
      .takes({"plan"});
  router.add("DELETE", "/v2/host-classes/{class}", msg::Right::operate, remove_host_class)
      .takes({"plan"});
}

}  // namespace nucleus::gateway

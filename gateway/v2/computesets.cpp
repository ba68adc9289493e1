// v2: computesets: compute nodes of one cluster, started and ended together.
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/explanations.hpp"
#include "messages/hibernation.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void list_computesets(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  const auto cluster = read_filter(*exchange, "cluster_id");
  if (!cluster) return exchange->refuse(cluster.error());
  msg::ListComputesets request{
      .viewer = msg::viewer_of(exchange->who), .cluster_id = {*cluster}, .page = *page};
  for (const auto& [name, time] : {std::pair{"from_unix_s", &request.from_unix_s},
                                   std::pair{"to_unix_s", &request.to_unix_s}}) {
    const auto number = read_number(*exchange, name);
    if (!number) return exchange->refuse(number.error());
    *time = *number;
  }
  const auto [first, last] = exchange->request.query.equal_range("state");
  for (auto given = first; given != last; ++given) {
    const auto state = msg::enum_of<msg::ComputesetState>(given->second);
    if (state == msg::ComputesetState::unknown)
      return exchange->refuse(ErrorCode::invalid_argument,
                              "there is no state " + msg::shown(given->second), "state");
    request.states.push_back(state);
  }
  exchange->ask(request, [exchange](const msg::Computesets& found) {
    reply_list(exchange, "computesets", found.computesets, found.next);
  });
}

void start_computeset(const ExchangePtr& exchange) {
  auto body = body_as<msg::StartComputeset>(
      *exchange,
      {"cluster_id", "nodes", "names", "count", "hosts", "allocation_id", "walltime_mins",
       "reservation", "on_behalf_of", "node_count_min", "host_class", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  if (body->cluster_id.empty())
    return exchange->refuse(ErrorCode::invalid_argument, "cluster_id must be set", "cluster_id");
  body->viewer = msg::viewer_of(exchange->who);
  body->person_id = exchange->who.person_id;
  if (*plan)
    return exchange->ask(
        msg::PlanStart{.start = std::move(*body)},
        [exchange](const msg::StartPlan& planned) { reply_one(exchange, 200, json_of(planned)); });
  exchange->ask(*body, [exchange](const msg::Computeset& set) {
    const std::string id = std::to_string(set.computeset_id);
    reply_one(exchange, 201, json_of(set), 0,
              {{"Location", exchange->base_url + "/v2/computesets/" + id}});
  });
}

void get_computeset(const ExchangePtr& exchange) {
  with_computeset(
      exchange, [exchange](const msg::Computeset& set) { reply_one(exchange, 200, json_of(set)); });
}

void power_computeset(const ExchangePtr& exchange) {
  auto action = read_action(*exchange, {"action", "plan"});
  if (action && *action == "poweron")
    action = core::refuse(ErrorCode::invalid_argument,
                          "action must be off, shutdown, reboot or reset", "action");
  if (!action) return exchange->refuse(action.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  const auto id = computeset_of_path(*exchange);
  if (!id) return exchange->refuse(id.error());
  const msg::PowerComputeset request{.computeset_id = *id,
                                     .viewer = msg::viewer_of(exchange->who),
                                     .action = msg::enum_of<msg::PowerAction>(*action)};
  if (*plan) return reply_plan(exchange, {.power_computeset = request});
  exchange->ask(request, [exchange](const msg::Computeset& after) {
    reply_one(exchange, 202, json_of(after));
  });
}

/// A change of the path's computeset.
template <class Change>
struct Asked {
  Change change = {};
  bool is_plan = false;  // it is only to be planned
};

/// As the body asks for it, which may have these fields.
template <class Change>
core::Result<Asked<Change>> read_change(const Exchange& exchange,
                                        std::initializer_list<std::string_view> fields) {
  auto body = body_as<Change>(exchange, fields);
  if (!body) return std::unexpected(body.error());
  const auto plan = wants_plan(exchange);
  if (!plan) return std::unexpected(plan.error());
  const auto id = computeset_of_path(exchange);
  if (!id) return std::unexpected(id.error());
  body->computeset_id = *id;
  body->viewer = msg::viewer_of(exchange.who);
  return Asked<Change>{.change = *std::move(body), .is_plan = *plan};
}

void change_walltime(const ExchangePtr& exchange) {
  auto asked = read_change<msg::ChangeWalltime>(*exchange, {"walltime_mins", "plan"});
  if (!asked) return exchange->refuse(asked.error());
  auto& [change, is_plan] = *asked;
  if (is_plan) return reply_plan(exchange, {.walltime = std::move(change)});
  exchange->ask(change, [exchange](const msg::Computeset& changed) {
    reply_one(exchange, 200, json_of(changed));
  });
}

void grow_computeset(const ExchangePtr& exchange) {
  auto asked = read_change<msg::GrowComputeset>(*exchange, {"names", "count", "plan"});
  if (!asked) return exchange->refuse(asked.error());
  auto& [change, is_plan] = *asked;
  if (is_plan)
    return exchange->ask(
        msg::PlanGrowth{.grow = std::move(change)},
        [exchange](const msg::StartPlan& planned) { reply_one(exchange, 200, json_of(planned)); });
  exchange->ask(change, [exchange](const msg::Computeset& grown) {
    reply_one(exchange, 200, json_of(grown));
  });
}

/// How nodes that are removed are stopped.
struct StopAction {
  std::string action = "shutdown";
  NUCLEUS_FIELDS(action);
};

void shrink_computeset(const ExchangePtr& exchange) {
  const auto stop = body_as<StopAction>(*exchange, {"names", "action", "plan"});
  if (!stop) return exchange->refuse(stop.error());
  if (stop->action != "shutdown" && stop->action != "off")
    return exchange->refuse(ErrorCode::invalid_argument, "action must be shutdown or off",
                            "action");
  auto asked = read_change<msg::ShrinkComputeset>(*exchange, {"names", "action", "plan"});
  if (!asked) return exchange->refuse(asked.error());
  auto& [change, is_plan] = *asked;
  change.action = stop->action == "off" ? msg::PowerAction::poweroff : msg::PowerAction::shutdown;
  if (is_plan) return reply_plan(exchange, {.shrink = std::move(change)});
  exchange->ask(change, [exchange](const msg::Computeset& shrunk) {
    reply_one(exchange, 202, json_of(shrunk));
  });
}

void hibernate_computeset(const ExchangePtr& exchange) {
  auto asked = read_change<msg::HibernateComputeset>(*exchange, {"plan"});
  if (!asked) return exchange->refuse(asked.error());
  auto& [change, is_plan] = *asked;
  if (is_plan) return reply_plan(exchange, {.hibernate = std::move(change)});
  exchange->ask(change, [exchange](const msg::Computeset& hibernating) {
    reply_one(exchange, 202, json_of(hibernating));
  });
}

void resume_computeset(const ExchangePtr& exchange) {
  auto asked = read_change<msg::ResumeComputeset>(*exchange, {"discards_memory", "plan"});
  if (!asked) return exchange->refuse(asked.error());
  auto& [change, is_plan] = *asked;
  if (is_plan) return reply_plan(exchange, {.resume = std::move(change)});
  exchange->ask(change, [exchange](const msg::Computeset& resumed) {
    reply_one(exchange, 202, json_of(resumed));
  });
}

}  // namespace

void add_v2_computeset_routes(Router& router, EventStreams& streams) {
  router
      .add_cached("/v2/computesets", msg::Right::read,
                  watchable<msg::ComputesetChanged>(streams, list_computesets))
      .takes_page()
      .takes({"cluster_id", "from_unix_s", "to_unix_s", "watch"})
      .takes_many("state");
  router.add("POST", "/v2/computesets", msg::Right::power, start_computeset).takes({"plan"});
  router.add_cached("/v2/computesets/{id}", msg::Right::read, get_computeset).takes({"fields"});
  router.add("PATCH", "/v2/computesets/{id}", msg::Right::power, change_walltime).takes({"plan"});
  router.add("POST", "/v2/computesets/{id}/power", msg::Right::power, power_computeset)
      .takes({"plan"});
  router.add("POST", "/v2/computesets/{id}/hibernate", msg::Right::power, hibernate_computeset)
      .takes({"plan"});
  router.add("POST", "/v2/computesets/{id}/resume", msg::Right::power, resume_computeset)
      .takes({"plan"});
  router.add("POST", "/v2/computesets/{id}/nodes", msg::Right::power, grow_computeset)
      .takes({"plan"});
  router.add("POST", "/v2/computesets/{id}/nodes/remove", msg::Right::power, shrink_computeset)
      .takes({"plan"});
}

}  // namespace nucleus::gateway

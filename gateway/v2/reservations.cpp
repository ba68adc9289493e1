// v2: reservations: hosts that are kept for a project's computesets, or for maintenance.
#include "messages/reservations.hpp"

#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

namespace {

void list_reservations(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListReservations{.viewer = msg::viewer_of(exchange->who), .page = *page},
                [exchange](const msg::Reservations& found) {
                  reply_list(exchange, "reservations", found.reservations, found.next);
                });
}

void get_reservation(const ExchangePtr& exchange) {
  exchange->ask(msg::ListReservations{.viewer = msg::viewer_of(exchange->who),
                                      .name = exchange->path["reservation"]},
                [exchange](const msg::Reservations& found) {
                  reply_one(exchange, 200, json_of(found.reservations.front()));
                });
}

void create_reservation(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineReservation>(
      *exchange, {"name", "project_id", "hosts", "start_unix_s", "end_unix_s", "reason", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  body->is_new = true;
  if (*plan) return reply_plan(exchange, {.reservation = std::move(*body)});
  exchange->ask(*body, [exchange](const msg::Reservation& made) {
    reply_one(exchange, 201, json_of(made), 0,
              {{"Location", exchange->base_url + "/v2/reservations/" + made.name}});
  });
}

void change_reservation(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineReservation>(
      *exchange, {"project_id", "hosts", "start_unix_s", "end_unix_s", "reason", "plan"});
  if (!body) return exchange->refuse(body.error());
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  body->name = exchange->path["reservation"];
  if (*plan) return reply_plan(exchange, {.reservation = std::move(*body)});
  exchange->ask(*body, [exchange](const msg::Reservation& changed) {
    reply_one(exchange, 200, json_of(changed));
  });
}

void remove_reservation(const ExchangePtr& exchange) {
  const auto plan = wants_plan(*exchange);
  if (!plan) return exchange->refuse(plan.error());
  const msg::RemoveReservation request{.name = exchange->path["reservation"]};
  if (*plan) return reply_plan(exchange, {.remove_reservation = request});
  exchange->ask(request, [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

}  // namespace

void add_v2_reservation_routes(Router& router, EventStreams& streams) {
  router
      .add("GET", "/v2/reservations", msg::Right::read,
           watchable<msg::ReservationChanged, msg::ReservationRemoved>(streams, list_reservations))
      .takes_page()
      .takes({"watch"});
  router.add("POST", "/v2/reservations", msg::Right::operate, create_reservation).takes({"plan"});
  router.add("GET", "/v2/reservations/{reservation}", msg::Right::read, get_reservation)
      .takes({"fields"});
  router.add("PATCH", "/v2/reservations/{reservation}", msg::Right::operate, change_reservation)
      .takes({"plan"});
  router.add("DELETE", "/v2/reservations/{reservation}", msg::Right::operate, remove_reservation)
      .takes({"plan"});
}

}  // namespace nucleus::gateway

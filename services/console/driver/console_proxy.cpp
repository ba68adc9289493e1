#include "services/console/driver/console_proxy.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/http/websocket.hpp"
#include "services/console/driver/session.hpp"

namespace nucleus::console {

namespace http = core::http;

namespace {

http::Response json_response(int status, const nlohmann::json& body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
}

http::Response error_response(int status, const std::string& detail, const std::string& = {}) {
  return json_response(status, {{"detail", detail}});
}

}  // namespace

std::string ticket_in(std::string_view subprotocols) {
  constexpr std::string_view prefix = "nucleus.ticket.";
  const auto offered = http::parse_subprotocols(subprotocols);
  const auto ticket = std::ranges::find_if(
      offered, [&](const std::string& name) { return name.starts_with(prefix); });
  const bool is_ours = std::ranges::find(offered, subprotocol) != offered.end();
  return is_ours && ticket != offered.end() ? ticket->substr(prefix.size()) : std::string();
}

ConsoleProxy::ConsoleProxy(ConsoleProxyOptions options, Metrics& metrics, TakeTicket take_ticket)
    : options_{std::move(options)}, metrics_{metrics}, take_ticket_{std::move(take_ticket)} {
  options_.http.render_error = error_response;
  server_ = std::make_unique<http::Server>(
      options_.http, [this](const http::Request& request, const std::shared_ptr<void>&,
                            const http::Respond& respond) { handle(request, respond); });
  server_->start();
}

ConsoleProxy::~ConsoleProxy() = default;

void ConsoleProxy::handle(const http::Request& request, const http::Respond& respond) {
  if (request.target == "/healthz") return respond(json_response(200, {{"status", "ok"}}));
  if (request.target != "/console") return respond(error_response(404, "Not found."));
  if (!request.is_upgrade)
    return respond(error_response(426, "this is a WebSocket: upgrade to it"));
  const std::string ticket = ticket_in(request.header("Sec-WebSocket-Protocol"));
  if (ticket.empty())
    return respond(error_response(
        401, "Sec-WebSocket-Protocol must be nucleus.console, nucleus.ticket.TICKET"));
  take_ticket_(ticket, [this, respond](const core::Result<Console>& console) {
    if (console) return respond(open_console(*console));
    const bool is_refused = console.error().code == core::ErrorCode::forbidden;
    respond(error_response(is_refused ? 403 : 503, console.error().detail));
  });
}

http::Response ConsoleProxy::open_console(const Console& console) {
  http::WebSocketUpgrade upgrade{.subprotocol = std::string(subprotocol),
                                 .is_binary = true,
                                 .message_bytes_max = options_.message_bytes_max,
                                 .stall_s = options_.stall_s};
  // Errors are reported after the upgrade: a browser shows only a WebSocket's close reason.
  upgrade.on_open = [this, console](std::shared_ptr<http::WebSocket> viewer) {
    std::erase_if(serial_owners_, [](const auto& owner) { return owner.second.expired(); });
    std::make_shared<Session>(*this, console, std::move(viewer))->start();
  };
  return {.websocket = std::move(upgrade)};
}

}  // namespace nucleus::console

#include "services/console/driver/console_proxy.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "core/digest/digest.hpp"
#include "core/http/websocket.hpp"
#include "services/console/driver/session.hpp"
#include "services/console/secrets.hpp"

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

std::string ticket_in(std::string_view subprotocols, std::string_view subprotocol) {
  constexpr std::string_view prefix = "nucleus.ticket.";
  const auto offered = http::parse_subprotocols(subprotocols);
  const auto ticket = std::ranges::find_if(
      offered, [&](const std::string& name) { return name.starts_with(prefix); });
  const bool is_ours = std::ranges::find(offered, subprotocol) != offered.end();
  return is_ours && ticket != offered.end() ? ticket->substr(prefix.size()) : std::string();
}

ConsoleProxy::ConsoleProxy(ConsoleProxyOptions options, Metrics& metrics, ConsoleProxyCalls calls)
    : options_{std::move(options)}, metrics_{metrics}, calls_{std::move(calls)} {
  options_.http.render_error = error_response;
  server_ = std::make_unique<http::Server>(
      options_.http, [this](const http::Request& request, const std::shared_ptr<void>&,
                            const http::Respond& respond) { handle(request, respond); });
  server_->start();
}

ConsoleProxy::~ConsoleProxy() = default;

void ConsoleProxy::handle(const http::Request& request, const http::Respond& respond) {
  if (request.target == "/healthz") return respond(json_response(200, {{"status", "ok"}}));
  const bool is_host = request.listener == 1;
  if (request.target != (is_host ? "/stream" : "/console"))
    return respond(error_response(404, "Not found."));
  if (!request.is_upgrade)
    return respond(error_response(426, "this is a WebSocket: upgrade to it"));
  is_host ? handle_host(request, respond) : handle_viewer(request, respond);
}

void ConsoleProxy::handle_viewer(const http::Request& request, const http::Respond& respond) {
  const std::string ticket =
      ticket_in(request.header("Sec-WebSocket-Protocol"), viewer_subprotocol);
  if (ticket.empty())
    return respond(error_response(
        401, "Sec-WebSocket-Protocol must be nucleus.console, nucleus.ticket.TICKET"));
  calls_.take_ticket(ticket, [this, respond](const core::Result<Console>& console) {
    if (console) return respond(open_console(*console));
    const bool is_refused = console.error().code == core::ErrorCode::forbidden;
    respond(error_response(is_refused ? 403 : 503, console.error().detail));
  });
}

void ConsoleProxy::handle_host(const http::Request& request, const http::Respond& respond) {
  const std::string token = ticket_in(request.header("Sec-WebSocket-Protocol"), host_subprotocol);
  const auto awaited = awaited_.extract(core::sha256_hex(token));
  const auto stream = awaited ? awaited.mapped().lock() : nullptr;
  if (!stream || stream->is_ended())
    return respond(error_response(403, "the token is unknown, used or expired"));
  http::WebSocketUpgrade upgrade{.subprotocol = std::string(host_subprotocol),
                                 .is_binary = true,
                                 .message_bytes_max = options_.message_bytes_max,
                                 .stall_s = options_.stall_s};
  upgrade.on_open = [weak = std::weak_ptr(stream)](std::shared_ptr<http::WebSocket> host) {
    if (const auto joined = weak.lock(); joined && !joined->is_ended())
      return joined->join(std::move(host));
    host->close(http::CloseCode::normal, "no viewer is left");
  };
  respond({.websocket = std::move(upgrade)});
}

http::Response ConsoleProxy::open_console(const Console& console) {
  http::WebSocketUpgrade upgrade{.subprotocol = std::string(viewer_subprotocol),
                                 .is_binary = true,
                                 .message_bytes_max = options_.message_bytes_max,
                                 .stall_s = options_.stall_s};
  // Errors are reported after the upgrade: a browser shows only a WebSocket's close reason.
  upgrade.on_open = [this, console](std::shared_ptr<http::WebSocket> viewer) {
    auto stream = stream_of(console, viewer->executor());
    std::make_shared<Session>(metrics_, console.right, std::move(stream), std::move(viewer))
        ->start();
  };
  return {.websocket = std::move(upgrade)};
}

/// Viewers of a serial console share its stream: QEMU serves one client. Each viewer of a VNC
/// console has its own, for the protocol begins with a handshake.
std::shared_ptr<HostStream> ConsoleProxy::stream_of(const Console& console,
                                                    const boost::asio::any_io_executor& executor) {
  const auto is_over = [](const auto& entry) { return entry.second.expired(); };
  std::erase_if(serial_streams_, is_over);
  std::erase_if(awaited_, is_over);
  if (console.kind != msg::ConsoleKind::serial) return begin_stream(console, executor);
  auto& shared = serial_streams_[console.host_id.value + "/" + console.node_id.value];
  auto stream = shared.lock();
  if (!stream || stream->is_ended()) shared = stream = begin_stream(console, executor);
  return stream;
}

std::shared_ptr<HostStream> ConsoleProxy::begin_stream(
    const Console& console, const boost::asio::any_io_executor& executor) {
  auto stream = std::make_shared<HostStream>(console, executor, options_.replay_bytes_max);
  const std::string token = new_ticket();
  awaited_[core::sha256_hex(token)] = stream;
  stream->await_host(std::chrono::seconds(options_.host_connect_s));
  calls_.ask_host(console, token,
                  [weak = std::weak_ptr(stream), executor](const core::Result<void>& asked) {
                    if (asked) return;
                    boost::asio::post(executor, [weak, reason = asked.error().detail] {
                      if (const auto waiting = weak.lock())
                        waiting->end(reason, http::CloseCode::try_again_later);
                    });
                  });
  return stream;
}

}  // namespace nucleus::console

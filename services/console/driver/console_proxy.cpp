#include "services/console/driver/console_proxy.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/digest/digest.hpp"
#include "core/http/websocket.hpp"
#include "services/console/driver/session.hpp"
#include "services/console/secrets.hpp"

namespace nucleus::console {

namespace http = core::http;

namespace {

constexpr std::int64_t live = std::numeric_limits<std::int64_t>::max();  // beyond every end

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

core::Result<Attachment> parse_attachment(const http::Request& request) {
  Attachment attachment;
  for (const auto& [name, value] : request.query) {
    const auto* end = value.data() + value.size();
    bool is_known = true;
    if (name == "from" && value == "end")
      attachment.offset = live;
    else if (name == "from")
      is_known = std::from_chars(value.data(), end, attachment.offset) ==
                 std::from_chars_result{end, std::errc{}};
    else if (name == "log")
      attachment.log_id = value;
    else
      attachment.is_read_only = is_known = name == "mode" && value == "read";
    if (!is_known)
      return std::unexpected(msg::invalid(name, "unknown parameter or value: " + msg::shown(name)));
  }
  return attachment;
}

ConsoleProxy::ConsoleProxy(ConsoleProxyOptions options, Metrics& metrics, Recorder* recorder,
                           ConsoleProxyCalls calls)
    : options_{std::move(options)},
      metrics_{metrics},
      recorder_{recorder},
      calls_{std::move(calls)} {
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
  if (is_host ? request.target != "/stream" : request.path != "/console")
    return respond(error_response(404, "Not found."));
  if (!request.is_upgrade)
    return respond(error_response(426, "this is a WebSocket: upgrade to it"));
  is_host ? handle_host(request, respond) : handle_viewer(request, respond);
}

void ConsoleProxy::handle_viewer(const http::Request& request, const http::Respond& respond) {
  const auto offered = request.header("Sec-WebSocket-Protocol");
  const auto announced = ticket_in(offered, announced_subprotocol);
  const auto ticket = announced.empty() ? ticket_in(offered, viewer_subprotocol) : announced;
  if (ticket.empty())
    return respond(error_response(
        401, "Sec-WebSocket-Protocol must be nucleus.console, nucleus.ticket.TICKET"));
  auto attachment = parse_attachment(request);
  if (!attachment) return respond(error_response(400, attachment.error().detail));
  attachment->is_announced = !announced.empty();
  calls_.take_ticket(
      ticket, request.header("Origin"),
      [this, respond, attachment = *attachment](core::Result<Console> console) {
        if (!console) {
          const bool is_refused = console.error().code == core::ErrorCode::forbidden;
          return respond(error_response(is_refused ? 403 : 503, console.error().detail));
        }
        console->attachment = attachment;
        respond(open_console(*console));
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
  const auto subprotocol =
      console.attachment.is_announced ? announced_subprotocol : viewer_subprotocol;
  http::WebSocketUpgrade upgrade{.subprotocol = std::string(subprotocol),
                                 .is_binary = true,
                                 .message_bytes_max = options_.message_bytes_max,
                                 .stall_s = options_.stall_s};
  // Errors are reported after the upgrade: a browser shows only a WebSocket's close reason.
  upgrade.on_open = [this, console](std::shared_ptr<http::WebSocket> viewer) {
    make_session(console, std::move(viewer))->start();
  };
  return {.websocket = std::move(upgrade)};
}

std::shared_ptr<Session> ConsoleProxy::make_session(const Console& console,
                                                    std::shared_ptr<http::WebSocket> viewer) {
  const auto executor = viewer->executor();
  auto stream = stream_of(console, executor);
  SessionCalls calls{.begin_stream =
                         [this, executor](const Console& older) {
                           auto own = begin_stream(older, executor);
                           own->begin();
                           return own;
                         },
                     .report = calls_.report};
  return std::make_shared<Session>(metrics_, console, ++sessions_, std::move(stream),
                                   std::move(viewer), std::move(calls));
}

/// Viewers of a serial console share its stream: its bytes come from the host once. Each viewer of
/// a VNC console has its own, for the protocol begins with a handshake.
std::shared_ptr<HostStream> ConsoleProxy::stream_of(const Console& console,
                                                    const boost::asio::any_io_executor& executor) {
  const auto is_over = [](const auto& entry) { return entry.second.expired(); };
  std::erase_if(serial_streams_, is_over);
  std::erase_if(awaited_, is_over);
  if (console.kind != msg::ConsoleKind::serial) {
    auto own = begin_stream(console, executor);
    own->begin();
    return own;
  }
  auto& shared = serial_streams_[console.host_id.value + "/" + console.node_id.value + "/" +
                                 std::to_string(console.epoch)];
  auto stream = shared.lock();
  if (stream && !stream->is_ended()) return stream;
  Console tail = console;
  tail.attachment = {};
  shared = stream = begin_stream(tail, executor);
  apply_policy(*stream);
  stream->begin();
  return stream;
}

void ConsoleProxy::set_recorded(const msg::ProjectId& project, bool is_recorded) {
  server_->post([this, project, is_recorded] {
    const bool is_changed = is_recorded ? recorded_projects_.insert(project.value).second
                                        : recorded_projects_.erase(project.value) > 0;
    if (!is_changed) return;
    for (const auto& [key, weak] : serial_streams_)
      if (const auto stream = weak.lock(); stream && stream->console().project_id == project)
        apply_policy(*stream);
  });
}

void ConsoleProxy::apply_policy(HostStream& stream) {
  const bool is_recorded =
      recorder_ && recorded_projects_.contains(stream.console().project_id.value);
  if (stream.is_ended() || stream.is_recorded() == is_recorded) return;
  stream.record(is_recorded ? std::make_unique<StreamRecording>(*recorder_, stream.console())
                            : nullptr);
}

std::shared_ptr<HostStream> ConsoleProxy::begin_stream(
    const Console& console, const boost::asio::any_io_executor& executor) {
  return std::make_shared<HostStream>(
      console, executor,
      HostStreamLimits{.connect = std::chrono::seconds(options_.host_connect_s),
                       .reconnect = std::chrono::seconds(options_.host_reconnect_s)},
      [this, executor](const std::shared_ptr<HostStream>& stream) { ask_host(stream, executor); });
}

void ConsoleProxy::ask_host(const std::shared_ptr<HostStream>& stream,
                            const boost::asio::any_io_executor& executor) {
  const auto& console = stream->console();
  const std::string token = new_ticket();
  awaited_[core::sha256_hex(token)] = stream;
  const msg::StreamConsole request{
      .node_id = console.node_id,
      .kind = console.kind,
      .token = token,
      .epoch = console.epoch,
      .is_announced = console.kind == msg::ConsoleKind::serial,
      .offset = stream->next_offset(),
      .log_id = stream->is_known() ? stream->log_id() : console.attachment.log_id};
  calls_.ask_host(console.host_id, request,
                  [weak = std::weak_ptr(stream), executor](const core::Result<void>& asked) {
                    if (asked) return;
                    boost::asio::post(executor, [weak, error = asked.error()] {
                      if (const auto waiting = weak.lock()) waiting->handle_refusal(error);
                    });
                  });
}

}  // namespace nucleus::console

#include "core/bus/zmq_link.hpp"

#include <cstring>

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

constexpr Milliseconds handshake_retry_delay{1000};

}  // namespace

/// A socket connected to the bus, and the monitor of its handshakes.
struct ZmqLink::Connection {
  Connection(zmq::context_t& context, zmq::socket_type type, std::string bus_url)
      : socket{context, type}, monitor{context, zmq::socket_type::pair}, url{std::move(bus_url)} {
    limit(socket);
  }
  zmq::socket_t socket;
  zmq::socket_t monitor;
  std::string url;
  bool is_monitored = false;
  bool is_refused = false;  // the last handshake was refused, and that was logged
};

struct ZmqLink::Sockets {
  explicit Sockets(const ZmqLinkOptions& options)
      : requests{context, zmq::socket_type::dealer, options.requests_url},
        events{context, zmq::socket_type::sub, options.events_url} {}
  zmq::context_t context{1};
  Connection requests;
  Connection events;
};

ZmqLink::ZmqLink(PosixLoop& loop, ZmqLinkOptions options)
    : loop_{loop},
      options_{std::move(options)},
      is_tcp_{!options_.keys.server_public.empty()},
      sockets_{std::make_unique<Sockets>(options_)} {
  auto& [context, requests, events] = *sockets_;
  if (!is_tcp_) requests.socket.set(zmq::sockopt::routing_id, options_.name);
  // Over ipc there are no keys: only the connection that delivers events is monitored.
  constexpr int handshakes = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  open(requests, "inproc://requests", is_tcp_ ? handshakes : 0);
  open(events, "inproc://events", handshakes | ZMQ_EVENT_DISCONNECTED);
  loop_.watch(requests.socket.get(zmq::sockopt::fd), [this] { drain(sockets_->requests.socket); });
  loop_.watch(events.socket.get(zmq::sockopt::fd), [this] { drain(sockets_->events.socket); });
}

ZmqLink::~ZmqLink() {
  for (auto* connection : {&sockets_->requests, &sockets_->events}) {
    loop_.unwatch(connection->socket.get(zmq::sockopt::fd));
    if (connection->is_monitored) loop_.unwatch(connection->monitor.get(zmq::sockopt::fd));
  }
}

void ZmqLink::open(Connection& connection, const char* monitor_url, int monitored_events) {
  if (connection.url.empty()) return;
  if (monitored_events != 0) {
    if (zmq_socket_monitor(connection.socket.handle(), monitor_url, monitored_events) != 0)
      throw zmq::error_t();
    connection.monitor.connect(monitor_url);
    connection.is_monitored = true;
    loop_.watch(connection.monitor.get(zmq::sockopt::fd),
                [this, &connection] { drain_monitor(connection); });
  }
  connect(connection);
}

void ZmqLink::connect(Connection& connection) {
  if (is_tcp_) {
    connection.socket.set(zmq::sockopt::curve_serverkey, options_.keys.server_public);
    connection.socket.set(zmq::sockopt::curve_publickey, options_.keys.own_public);
    connection.socket.set(zmq::sockopt::curve_secretkey, options_.keys.own_secret);
    enable_heartbeats(connection.socket);
    spread_reconnects(connection.socket, static_cast<std::uint32_t>(
                                             std::stoul(loop_.new_id().substr(0, 8), nullptr, 16)));
  }
  connection.socket.connect(connection.url);
}

void ZmqLink::reconnect(const ZmqLinkOptions& options) {
  if (!is_tcp_) return;
  options_.keys = options.keys;
  set_connected(false);
  const auto renew = [this](Connection& connection, const std::string& url) {
    zmq_disconnect(connection.socket.handle(), connection.url.c_str());
    connection.url = url;
    connect(connection);
  };
  renew(sockets_->requests, options.requests_url);
  renew(sockets_->events, options.events_url);
}

const std::string& ZmqLink::name() const {
  return options_.name;
}

void ZmqLink::send(Frames frames) {
  if (!send_parts(sockets_->requests.socket,
                  {frames.topic, msg::encode(frames.envelope), frames.body}))
    log::warning("message_not_sent", {{"topic", frames.topic}, {"to", frames.envelope.to}});
}

void ZmqLink::on_receive(std::function<void(Frames)> receive) {
  receive_ = std::move(receive);
}

void ZmqLink::subscribe(const std::string& prefix) {
  sockets_->events.socket.set(zmq::sockopt::subscribe, prefix);
}

void ZmqLink::drain(zmq::socket_t& socket) {
  while (auto parts = receive_parts(socket)) handle_message(std::move(*parts));
}

/// A monitor's message is two frames: the event's number and value in 6 bytes, then the address.
void ZmqLink::drain_monitor(Connection& connection) {
  const bool is_events = &connection == &sockets_->events;
  while (auto parts = receive_parts(connection.monitor)) {
    std::uint16_t event = 0;
    if (parts->front().size() < sizeof event) continue;
    std::memcpy(&event, parts->front().data(), sizeof event);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      connection.is_refused = false;
      is_events ? set_connected(true) : announce_name();
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
      set_connected(false);
    } else {
      retry_handshake(connection);
    }
  }
}

/// ZeroMQ does not reconnect after a refusal, but the key's rights may be added later.
void ZmqLink::retry_handshake(Connection& connection) {
  if (!std::exchange(connection.is_refused, true))
    log::error("bus_refused_key", {{"name", options_.name}, {"bus", connection.url}});
  loop_.after(handshake_retry_delay, [this, &connection, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    zmq_disconnect(connection.socket.handle(), connection.url.c_str());
    connection.socket.connect(connection.url);
  });
}

bool ZmqLink::watch_connection(std::function<void(bool)> changed) {
  connection_changed_ = std::move(changed);
  return is_connected_;
}

void ZmqLink::set_connected(bool is_connected) {
  if (std::exchange(is_connected_, is_connected) != is_connected && connection_changed_)
    connection_changed_(is_connected);
}

void ZmqLink::announce_name() {
  send({.envelope = {.kind = msg::MessageKind::hello, .sender = options_.name}});
}

void ZmqLink::handle_message(std::vector<std::string> parts) {
  auto envelope = parts.size() == 3 ? envelope_of(parts[1]) : std::nullopt;
  if (!envelope || !receive_) return log::warning("message_dropped", {{"frames", parts.size()}});
  receive_({.topic = std::move(parts[0]),
            .envelope = std::move(*envelope),
            .body = std::move(parts[2])});
}

}  // namespace nucleus::core

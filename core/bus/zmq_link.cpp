#include "core/bus/zmq_link.hpp"

#include <cstring>

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

constexpr Milliseconds knock_again_after{1000};

}  // namespace

/// A socket to the bus, and what becomes of its connection.
struct ZmqLink::Line {
  Line(zmq::context_t& context, zmq::socket_type type, std::string bus_url)
      : socket{context, type},
        handshakes{context, zmq::socket_type::pair},
        url{std::move(bus_url)} {
    limit(socket);
  }
  zmq::socket_t socket;
  zmq::socket_t handshakes;
  std::string url;
  bool is_watched = false;  // its handshakes
  bool is_refused = false;  // and it was logged
};

struct ZmqLink::Sockets {
  explicit Sockets(const ZmqLinkOptions& options)
      : requests{context, zmq::socket_type::dealer, options.requests_url},
        events{context, zmq::socket_type::sub, options.events_url} {}
  zmq::context_t context{1};
  Line requests;
  Line events;
};

ZmqLink::ZmqLink(PosixLoop& loop, ZmqLinkOptions options)
    : loop_{loop},
      options_{std::move(options)},
      is_tcp_{!options_.keys.server_public.empty()},
      sockets_{std::make_unique<Sockets>(options_)} {
  auto& [context, requests, events] = *sockets_;
  if (!is_tcp_) requests.socket.set(zmq::sockopt::routing_id, options_.name);
  // Over ipc nobody asks for a key: only whether events come is of interest.
  constexpr int handshakes = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
  open(requests, "inproc://requests", is_tcp_ ? handshakes : 0);
  open(events, "inproc://events", handshakes | ZMQ_EVENT_DISCONNECTED);
  loop_.watch(requests.socket.get(zmq::sockopt::fd), [this] { drain(sockets_->requests.socket); });
  loop_.watch(events.socket.get(zmq::sockopt::fd), [this] { drain(sockets_->events.socket); });
}

ZmqLink::~ZmqLink() {
  for (auto* line : {&sockets_->requests, &sockets_->events}) {
    loop_.unwatch(line->socket.get(zmq::sockopt::fd));
    if (line->is_watched) loop_.unwatch(line->handshakes.get(zmq::sockopt::fd));
  }
}

void ZmqLink::open(Line& line, const char* monitor_url, int wanted) {
  if (line.url.empty()) return;
  if (is_tcp_) {
    line.socket.set(zmq::sockopt::curve_serverkey, options_.keys.server_public);
    line.socket.set(zmq::sockopt::curve_publickey, options_.keys.own_public);
    line.socket.set(zmq::sockopt::curve_secretkey, options_.keys.own_secret);
    notice_silence(line.socket);
  }
  if (wanted != 0) {
    if (zmq_socket_monitor(line.socket.handle(), monitor_url, wanted) != 0) throw zmq::error_t();
    line.handshakes.connect(monitor_url);
    line.is_watched = true;
    loop_.watch(line.handshakes.get(zmq::sockopt::fd), [this, &line] { drain_handshakes(line); });
  }
  line.socket.connect(line.url);
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
  while (auto parts = receive_parts(socket)) take(std::move(*parts));
}

/// Each is two frames: the event's number and value in 6 bytes, then the address.
void ZmqLink::drain_handshakes(Line& line) {
  const bool is_events = &line == &sockets_->events;
  while (auto parts = receive_parts(line.handshakes)) {
    std::uint16_t event = 0;
    if (parts->front().size() < sizeof event) continue;
    std::memcpy(&event, parts->front().data(), sizeof event);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
      line.is_refused = false;
      is_events ? show_line(true) : greet();
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
      show_line(false);
    } else {
      knock_again(line);
    }
  }
}

/// ZeroMQ gives up on a peer that refused; but rights may still be on their way.
void ZmqLink::knock_again(Line& line) {
  if (!std::exchange(line.is_refused, true))
    log::error("bus_refused_key", {{"name", options_.name}, {"bus", line.url}});
  loop_.after(knock_again_after, [this, &line, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    zmq_disconnect(line.socket.handle(), line.url.c_str());
    line.socket.connect(line.url);
  });
}

bool ZmqLink::watch_line(std::function<void(bool)> told) {
  line_told_ = std::move(told);
  return is_line_up_;
}

void ZmqLink::show_line(bool is_up) {
  if (std::exchange(is_line_up_, is_up) != is_up && line_told_) line_told_(is_up);
}

void ZmqLink::greet() {
  send({.envelope = {.kind = msg::MessageKind::hello, .sender = options_.name}});
}

void ZmqLink::take(std::vector<std::string> parts) {
  auto envelope = parts.size() == 3 ? envelope_of(parts[1]) : std::nullopt;
  if (!envelope || !receive_) return log::warning("message_dropped", {{"frames", parts.size()}});
  receive_({.topic = std::move(parts[0]),
            .envelope = std::move(*envelope),
            .body = std::move(parts[2])});
}

}  // namespace nucleus::core

#include "core/bus/zmq_link.hpp"

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"

namespace nucleus::core {

struct ZmqLink::Sockets {
  zmq::context_t context{1};
  zmq::socket_t requests{context, zmq::socket_type::dealer};
  zmq::socket_t events{context, zmq::socket_type::sub};
};

namespace {

void secure(zmq::socket_t& socket, const CurveKeys& keys) {
  if (keys.server_public.empty()) return;
  socket.set(zmq::sockopt::curve_serverkey, keys.server_public);
  socket.set(zmq::sockopt::curve_publickey, keys.own_public);
  socket.set(zmq::sockopt::curve_secretkey, keys.own_secret);
}

}  // namespace

ZmqLink::ZmqLink(PosixLoop& loop, ZmqLinkOptions options)
    : loop_{loop}, options_{std::move(options)}, sockets_{std::make_unique<Sockets>()} {
  auto& [context, requests, events] = *sockets_;
  limit(requests);
  limit(events);
  secure(requests, options_.keys);
  secure(events, options_.keys);
  requests.set(zmq::sockopt::routing_id, options_.name);
  requests.connect(options_.requests_url);
  if (!options_.events_url.empty()) events.connect(options_.events_url);
  loop_.watch(requests.get(zmq::sockopt::fd), [this] { drain_requests(); });
  loop_.watch(events.get(zmq::sockopt::fd), [this] { drain_events(); });
}

ZmqLink::~ZmqLink() {
  loop_.unwatch(sockets_->requests.get(zmq::sockopt::fd));
  loop_.unwatch(sockets_->events.get(zmq::sockopt::fd));
}

const std::string& ZmqLink::name() const {
  return options_.name;
}

void ZmqLink::send(Frames frames) {
  if (!send_parts(sockets_->requests, {frames.topic, msg::encode(frames.envelope), frames.body}))
    log::warning("message_not_sent", {{"topic", frames.topic}, {"to", frames.envelope.to}});
}

void ZmqLink::on_receive(std::function<void(Frames)> receive) {
  receive_ = std::move(receive);
}

void ZmqLink::subscribe(const std::string& prefix) {
  sockets_->events.set(zmq::sockopt::subscribe, prefix);
}

void ZmqLink::drain_requests() {
  while (auto parts = receive_parts(sockets_->requests)) take(std::move(*parts));
}

void ZmqLink::drain_events() {
  while (auto parts = receive_parts(sockets_->events)) take(std::move(*parts));
}

void ZmqLink::take(std::vector<std::string> parts) {
  auto envelope = parts.size() == 3 ? envelope_of(parts[1]) : std::nullopt;
  if (!envelope || !receive_) return log::warning("message_dropped", {{"frames", parts.size()}});
  receive_({.topic = std::move(parts[0]),
            .envelope = std::move(*envelope),
            .body = std::move(parts[2])});
}

}  // namespace nucleus::core

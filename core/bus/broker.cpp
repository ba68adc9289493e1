#include "core/bus/broker.hpp"

#include <array>
#include <thread>

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

constexpr auto stop_check_every = std::chrono::milliseconds{100};

/// Answers ZAP (ZeroMQ RFC 27) inside the process: a key without rights is refused at the
/// handshake; the user id of the others is `NAME|PROJECT`.
void serve_zap(zmq::socket_t& socket,
               const std::function<PeerRights(const std::string&)>& rights_of) {
  auto parts = receive_parts(socket);
  if (!parts || parts->size() < 6) return;
  PeerRights rights;
  if ((*parts)[5] == "CURVE" && parts->size() == 7 && (*parts)[6].size() == 32 && rights_of) {
    std::array<char, 41> key{};
    zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>((*parts)[6].data()), 32);
    rights = rights_of(key.data());
  }
  const bool is_known = !rights.name.empty() || !rights.project.empty();
  if (!is_known) log::warning("peer_refused", {{"address", (*parts)[3]}});
  send_parts(socket,
             {"1.0", (*parts)[1], is_known ? "200" : "400", is_known ? "OK" : "key not known",
              is_known ? rights.name + "|" + rights.project : "", ""});
}

class Broker {
 public:
  Broker(const BrokerOptions& options) : options_{options} {
    zap_.bind("inproc://zeromq.zap.01");
    for (auto* socket : {&requests_, &tcp_requests_, &events_, &tcp_events_}) limit(*socket);
    for (auto* socket : {&requests_, &tcp_requests_}) {
      socket->set(zmq::sockopt::router_mandatory, true);
      socket->set(zmq::sockopt::router_handover, true);  // a restarted process takes its name over
    }
    requests_.bind(options.requests_url);
    events_.bind(options.events_url);
    if (options.tcp_events_url.empty()) return;
    tcp_events_.set(zmq::sockopt::xpub_manual, true);
    for (auto* socket : {&tcp_requests_, &tcp_events_}) {
      socket->set(zmq::sockopt::curve_server, true);
      socket->set(zmq::sockopt::curve_secretkey, options.curve_secret);
      socket->set(zmq::sockopt::zap_domain, "nucleus");
    }
    if (!options.tcp_requests_url.empty()) tcp_requests_.bind(options.tcp_requests_url);
    tcp_events_.bind(options.tcp_events_url);
  }

  void run(const std::atomic<bool>& is_stopping) {
    std::array<zmq::pollitem_t, 5> items = {{{requests_.handle(), 0, ZMQ_POLLIN, 0},
                                             {tcp_requests_.handle(), 0, ZMQ_POLLIN, 0},
                                             {events_.handle(), 0, ZMQ_POLLIN, 0},
                                             {tcp_events_.handle(), 0, ZMQ_POLLIN, 0},
                                             {zap_.handle(), 0, ZMQ_POLLIN, 0}}};
    while (!is_stopping) {
      zmq::poll(items.data(), items.size(), stop_check_every);
      if (items[4].revents) serve_zap(zap_, options_.rights_of);
      if (items[0].revents) route_all(requests_);
      if (items[1].revents) route_all(tcp_requests_);
      // Subscriptions over ipc take effect by themselves; reading only empties the queue.
      if (items[2].revents)
        while (receive_parts(events_)) {
        }
      if (items[3].revents) grant_subscriptions();
    }
  }

 private:
  void route_all(zmq::socket_t& socket) {
    std::string user;
    while (auto parts = receive_parts(socket, &user)) {
      // Over tcp a peer may only be who its key says.
      if (&socket == &tcp_requests_ && user.substr(0, user.find('|')) != parts->front())
        log::warning("peer_impersonates", {{"user", user}, {"name", parts->front()}});
      else
        route(socket, std::move(*parts));
    }
  }

  /// parts: [peer's name][topic][envelope][body]
  void route(zmq::socket_t& from, std::vector<std::string> parts) {
    if (parts.size() != 4)
      return log::warning("message_malformed", {{"peer", parts[0]}, {"frames", parts.size()}});
    auto envelope = envelope_of(parts[2]);
    const bool is_own_name =
        envelope && (envelope->sender == parts[0] || envelope->kind == msg::MessageKind::event);
    if (!is_own_name)
      return log::warning("message_refused", {{"peer", parts[0]}, {"topic", parts[1]}});
    is_local_[parts[0]] = &from == &requests_;
    if (envelope->kind == msg::MessageKind::event) {
      send_parts(events_, {parts[1], parts[2], parts[3]});
      if (!options_.tcp_events_url.empty()) send_parts(tcp_events_, {parts[1], parts[2], parts[3]});
      return;
    }
    const bool is_local = !is_local_.contains(envelope->to) || is_local_[envelope->to];
    const bool is_sent = send_parts(is_local ? requests_ : tcp_requests_,
                                    {envelope->to, parts[1], parts[2], parts[3]});
    if (!is_sent && envelope->kind == msg::MessageKind::request)
      refuse_request(from, parts, *envelope);
  }

  static void refuse_request(zmq::socket_t& from, const std::vector<std::string>& parts,
                             const msg::Envelope& request) {
    const msg::Envelope reply{.kind = msg::MessageKind::reply,
                              .request_id = request.request_id,
                              .trace_id = request.trace_id,
                              .sender = "bus",
                              .to = request.sender,
                              .error = msg::Error{.code = msg::ErrorCode::unavailable,
                                                  .detail = msg::shown(request.to) + " is away"}};
    send_parts(from, {parts[0], parts[1], msg::encode(reply), ""});
  }

  /// A peer gets what it asks for where the prefix lies inside its own project; else nothing, and a
  /// log line.
  void grant_subscriptions() {
    zmq::message_t asked;
    while (tcp_events_.recv(asked, zmq::recv_flags::dontwait)) {
      if (asked.size() < 1) continue;
      const std::string_view bytes = asked.to_string_view();
      const std::string prefix(bytes.substr(1));
      const std::string user = user_of(asked);
      const std::string project = user.substr(user.find('|') + 1);
      if (user.empty() || (project != "*" && !prefix.starts_with(project + "/"))) {
        log::warning("subscription_refused", {{"user", user}, {"prefix", prefix}});
        continue;
      }
      if (bytes[0] == 1)
        tcp_events_.set(zmq::sockopt::subscribe, prefix);
      else
        tcp_events_.set(zmq::sockopt::unsubscribe, prefix);
    }
  }

  const BrokerOptions& options_;
  zmq::context_t context_{1};
  zmq::socket_t zap_{context_, zmq::socket_type::rep};
  zmq::socket_t requests_{context_, zmq::socket_type::router};
  zmq::socket_t tcp_requests_{context_, zmq::socket_type::router};
  zmq::socket_t events_{context_, zmq::socket_type::xpub};
  zmq::socket_t tcp_events_{context_, zmq::socket_type::xpub};
  std::map<std::string, bool> is_local_ = {};
};

}  // namespace

void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping) {
  Broker broker(options);
  broker.run(is_stopping);
}

}  // namespace nucleus::core

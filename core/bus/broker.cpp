#include "core/bus/broker.hpp"

#include <array>
#include <map>
#include <optional>

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

constexpr auto stop_check_every = std::chrono::milliseconds{100};
constexpr std::size_t tcp_peers_max = 100'000;

class Broker {
 public:
  explicit Broker(const BrokerOptions& options) : options_{options} {
    zap_.bind("inproc://zeromq.zap.01");
    for (auto* socket : {&requests_, &tcp_requests_, &events_, &tcp_events_}) limit(*socket);
    for (auto* socket : {&requests_, &tcp_requests_})
      socket->set(zmq::sockopt::router_mandatory, true);
    // A restarted process takes its name over. Over tcp names are not told by the socket, where
    // nobody could check them, but by each message.
    requests_.set(zmq::sockopt::router_handover, true);
    requests_.bind(options.requests_url);
    events_.bind(options.events_url);
    tcp_events_.set(zmq::sockopt::xpub_manual, true);
    open_tcp(tcp_requests_, options.tcp_requests_url);
    open_tcp(tcp_events_, options.tcp_events_url);
  }

  void run(const std::atomic<bool>& is_stopping) {
    std::array<zmq::pollitem_t, 5> items = {{{requests_.handle(), 0, ZMQ_POLLIN, 0},
                                             {tcp_requests_.handle(), 0, ZMQ_POLLIN, 0},
                                             {events_.handle(), 0, ZMQ_POLLIN, 0},
                                             {tcp_events_.handle(), 0, ZMQ_POLLIN, 0},
                                             {zap_.handle(), 0, ZMQ_POLLIN, 0}}};
    while (!is_stopping) {
      zmq::poll(items.data(), items.size(), stop_check_every);
      if (items[4].revents) answer_zap();
      if (items[0].revents)
        while (auto parts = receive_parts(requests_)) take_local(std::move(*parts));
      if (items[1].revents) {
        std::string key;
        while (auto parts = receive_parts(tcp_requests_, &key)) take_tcp(std::move(*parts), key);
      }
      // Subscriptions over ipc take effect by themselves; reading only empties the queue.
      if (items[2].revents)
        while (receive_parts(events_)) {
        }
      if (items[3].revents) grant_subscriptions();
    }
  }

 private:
  /// A message on its way: where it came in, and what it says.
  struct Message {
    zmq::socket_t& socket;
    std::string connection;
    std::string topic;
    std::string envelope_bytes;
    std::string body;
    msg::Envelope envelope;
  };

  void open_tcp(zmq::socket_t& socket, const std::string& url) {
    if (url.empty()) return;
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_secretkey, options_.curve_secret);
    socket.set(zmq::sockopt::zap_domain, "nucleus");
    notice_silence(socket);
    socket.bind(url);
  }

  /// Answers ZAP (ZeroMQ RFC 27) inside the process: a key without rights is refused at the
  /// handshake; the user id of the others is the key.
  void answer_zap() {
    auto parts = receive_parts(zap_);
    if (!parts || parts->size() < 6) return;
    std::array<char, 41> key{};
    PeerRights rights;
    if ((*parts)[5] == "CURVE" && parts->size() == 7 && (*parts)[6].size() == 32 &&
        options_.rights_of) {
      zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>((*parts)[6].data()), 32);
      rights = options_.rights_of(key.data());
    }
    const bool is_welcome = is_known(rights);
    tell(is_welcome ? BrokerDeed::key_accepted : BrokerDeed::key_refused);
    if (!is_welcome) log::warning("peer_refused", {{"address", (*parts)[3]}});
    if (is_welcome) rights_[key.data()] = std::move(rights);
    send_parts(zap_,
               {"1.0", (*parts)[1], is_welcome ? "200" : "400", is_welcome ? "OK" : "key not known",
                is_welcome ? std::string(key.data()) : "", ""});
  }

  /// parts: [connection][topic][envelope][body]; nothing where they are not a message.
  std::optional<Message> read(zmq::socket_t& socket, std::vector<std::string> parts) {
    auto envelope = parts.size() == 4 ? envelope_of(parts[2]) : std::nullopt;
    if (envelope)
      return Message{.socket = socket,
                     .connection = std::move(parts[0]),
                     .topic = std::move(parts[1]),
                     .envelope_bytes = std::move(parts[2]),
                     .body = std::move(parts[3]),
                     .envelope = std::move(*envelope)};
    tell(BrokerDeed::malformed);
    log::warning("message_malformed", {{"peer", parts[0]}, {"frames", parts.size()}});
    return std::nullopt;
  }

  /// On this machine a connection is named like its process.
  void take_local(std::vector<std::string> parts) {
    auto message = read(requests_, std::move(parts));
    if (!message) return;
    const auto& envelope = message->envelope;
    if (envelope.sender != message->connection) return drop(*message, message->connection);
    if (envelope.kind == msg::MessageKind::event && !may_emit(envelope.sender, message->topic))
      return drop(*message, message->connection);
    tcp_peers_.erase(message->connection);
    route(*message);
  }

  void take_tcp(std::vector<std::string> parts, const std::string& key) {
    auto message = read(tcp_requests_, std::move(parts));
    if (!message) return;
    const auto& envelope = message->envelope;
    const PeerRights rights = rights_with(key);
    if (!may_be(rights, envelope.sender)) return drop(*message, rights.name);
    if (tcp_peers_.size() >= tcp_peers_max) tcp_peers_.clear();  // all tell their names again soon
    tcp_peers_[envelope.sender] = message->connection;
    if (envelope.kind == msg::MessageKind::hello) return;
    if (envelope.kind == msg::MessageKind::event && !may_emit(envelope.sender, message->topic))
      return drop(*message, envelope.sender);
    if (envelope.kind == msg::MessageKind::request &&
        !may_call(rights, envelope.sender, envelope.to, message->topic)) {
      drop(*message, envelope.sender);
      return refuse(*message, msg::ErrorCode::forbidden,
                    msg::shown(envelope.sender) + " may not call " + msg::shown(message->topic));
    }
    route(*message);
  }

  PeerRights rights_with(const std::string& key) const {
    const auto known = rights_.find(key);
    return known == rights_.end() ? PeerRights{} : known->second;
  }

  void tell(BrokerDeed deed, std::size_t bytes = 0) const { options_.tell(deed, bytes); }

  void drop(const Message& message, const std::string& peer) {
    tell(BrokerDeed::forbidden);
    log::warning(
        "message_refused",
        {{"peer", peer}, {"says_it_is", message.envelope.sender}, {"topic", message.topic}});
  }

  void route(const Message& message) {
    const auto& envelope = message.envelope;
    const auto bytes = message.topic.size() + message.envelope_bytes.size() + message.body.size();
    if (envelope.kind == msg::MessageKind::event) {
      tell(BrokerDeed::event, bytes);
      for (auto* socket : {&events_, &tcp_events_})
        send_parts(*socket, {message.topic, message.envelope_bytes, message.body});
      return;
    }
    const bool is_request = envelope.kind == msg::MessageKind::request;
    if (deliver(message)) return tell(is_request ? BrokerDeed::request : BrokerDeed::reply, bytes);
    tell(BrokerDeed::callee_away);
    if (!is_request) return;  // a reply that nobody waits for any more
    refuse(message, msg::ErrorCode::unavailable, msg::shown(envelope.to) + " is away");
  }

  bool deliver(const Message& message) {
    const std::string& to = message.envelope.to;
    if (const auto peer = tcp_peers_.find(to); peer != tcp_peers_.end()) {
      if (send_parts(tcp_requests_,
                     {peer->second, message.topic, message.envelope_bytes, message.body}))
        return true;
      tcp_peers_.erase(peer);
    }
    return send_parts(requests_, {to, message.topic, message.envelope_bytes, message.body});
  }

  static void refuse(const Message& message, msg::ErrorCode code, const std::string& why) {
    const msg::Envelope reply{.kind = msg::MessageKind::reply,
                              .request_id = message.envelope.request_id,
                              .trace_id = message.envelope.trace_id,
                              .sender = "bus",
                              .to = message.envelope.sender,
                              .error = msg::Error{.code = code, .detail = why}};
    send_parts(message.socket, {message.connection, message.topic, msg::encode(reply), ""});
  }

  /// A peer gets what it asks for where the prefix lies inside its own project; else nothing, and a
  /// log line.
  void grant_subscriptions() {
    zmq::message_t asked;
    while (tcp_events_.recv(asked, zmq::recv_flags::dontwait)) {
      if (asked.size() < 1) continue;
      const std::string_view bytes = asked.to_string_view();
      const std::string prefix(bytes.substr(1));
      if (bytes[0] == 0) {  // also of one that has gone: nobody has to be allowed to hear less
        tcp_events_.set(zmq::sockopt::unsubscribe, prefix);
        continue;
      }
      const PeerRights rights = rights_with(user_of(asked));
      if (!may_hear(rights, prefix)) {
        tell(BrokerDeed::subscription_refused);
        log::warning("subscription_refused", {{"project", rights.project}, {"prefix", prefix}});
        continue;
      }
      tcp_events_.set(zmq::sockopt::subscribe, prefix);
    }
  }

  const BrokerOptions& options_;
  zmq::context_t context_{1};
  zmq::socket_t zap_{context_, zmq::socket_type::rep};
  zmq::socket_t requests_{context_, zmq::socket_type::router};
  zmq::socket_t tcp_requests_{context_, zmq::socket_type::router};
  zmq::socket_t events_{context_, zmq::socket_type::xpub};
  zmq::socket_t tcp_events_{context_, zmq::socket_type::xpub};
  std::map<std::string, PeerRights> rights_ = {};      // by key: of all that were let in
  std::map<std::string, std::string> tcp_peers_ = {};  // connection by name
};

}  // namespace

void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping) {
  Broker broker(options);
  broker.run(is_stopping);
}

}  // namespace nucleus::core

#include "services/bus/broker.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "core/bus/zmq_frames.hpp"
#include "core/log/log.hpp"
#include "services/bus/connection_limit.hpp"

namespace nucleus::bus {

namespace {

namespace log = core::log;
using core::PeerRights;
using core::receive_parts;
using core::send_parts;

constexpr auto stop_check_interval = std::chrono::milliseconds{100};
constexpr std::size_t tcp_peers_max = 100'000;
constexpr std::int64_t no_end = std::numeric_limits<std::int64_t>::max();

class Broker {
 public:
  explicit Broker(const BrokerOptions& options) : options_{options} {
    zap_.bind("inproc://zeromq.zap.01");
    for (auto* socket : {&requests_, &tcp_requests_, &events_, &tcp_events_}) core::limit(*socket);
    for (auto* socket : {&requests_, &tcp_requests_})
      socket->set(zmq::sockopt::router_mandatory, true);
    // A restarted process takes over its name. Over tcp the routing id is not used as a name: the
    // key decides which names each message may carry.
    requests_.set(zmq::sockopt::router_handover, true);
    requests_.bind(options.requests_url);
    events_.bind(options.events_url);
    open_tcp(tcp_requests_, request_connections_, options.tcp_requests_url);
    open_tcp_events();
  }

  void run(const std::atomic<bool>& is_stopping) {
    while (!is_stopping) {
      std::array<zmq::pollitem_t, 7> items = {{{requests_.handle(), 0, ZMQ_POLLIN, 0},
                                               {tcp_requests_.handle(), 0, ZMQ_POLLIN, 0},
                                               {events_.handle(), 0, ZMQ_POLLIN, 0},
                                               {tcp_events_.handle(), 0, ZMQ_POLLIN, 0},
                                               {zap_.handle(), 0, ZMQ_POLLIN, 0},
                                               {request_connections_.handle(), 0, ZMQ_POLLIN, 0},
                                               {event_connections_.handle(), 0, ZMQ_POLLIN, 0}}};
      zmq::poll(items.data(), items.size(), stop_check_interval);
      if (items[5].revents) request_connections_.take_changes();
      if (items[6].revents) event_connections_.take_changes();
      if (is_reopening_) reopen_tcp_events();
      check_rights();
      if (items[4].revents) answer_zap();
      if (items[0].revents)
        while (auto parts = receive_parts(requests_)) handle_local(std::move(*parts));
      if (items[1].revents) {
        std::string key;
        while (auto parts = receive_parts(tcp_requests_, &key)) handle_tcp(std::move(*parts), key);
      }
      // Subscriptions over ipc take effect without us; reading only empties the queue.
      if (items[2].revents)
        while (receive_parts(events_)) {
        }
      if (items[3].revents) handle_subscriptions();
    }
  }

 private:
  /// A received message and the socket and connection it arrived on.
  struct Message {
    zmq::socket_t& socket;
    std::string connection;
    std::string topic;
    std::string envelope_bytes;
    std::string body;
    msg::Envelope envelope;
  };

  void open_tcp(zmq::socket_t& socket, ConnectionLimit& connections, const std::string& url) {
    connections.watch(context_, socket);
    if (url.empty()) return;
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_secretkey, options_.curve_secret);
    socket.set(zmq::sockopt::zap_domain, "nucleus");
    core::enable_heartbeats(socket);
    socket.bind(url);
  }

  void open_tcp_events() {
    tcp_events_.set(zmq::sockopt::xpub_manual, true);
    open_tcp(tcp_events_, event_connections_, options_.tcp_events_url);
  }

  /// A subscription cannot be taken from one peer alone: all are disconnected, and each is
  /// authenticated again when it reconnects. What they miss meanwhile, services read from the
  /// stream.
  void close_tcp_events() {
    if (options_.tcp_events_url.empty() || is_reopening_) return;
    tcp_events_.unbind(tcp_events_.get(zmq::sockopt::last_endpoint));
    is_reopening_ = true;
    reopen_tcp_events();
  }

  /// The port is free once a thread of the library has closed it: until then, again at each turn.
  void reopen_tcp_events() {
    event_connections_.stop();
    tcp_events_ = zmq::socket_t{context_, zmq::socket_type::xpub};
    core::limit(tcp_events_);
    try {
      open_tcp_events();
      is_reopening_ = false;
    } catch (const zmq::error_t& error) {
      if (error.num() != EADDRINUSE) throw;
    }
  }

  /// Rights that end, end for connections that are open, too. A revoked key is kept, without
  /// rights: it may be given back.
  void check_rights() {
    if (options_.have_rights_changed())
      for (auto& [key, known] : rights_) change_rights(known, find_rights(key));
    if (options_.unix_s() < next_end_unix_s_) return;
    next_end_unix_s_ = no_end;
    for (auto& [key, known] : rights_) change_rights(known, in_force(known));
  }

  /// None if their time is over.
  PeerRights in_force(PeerRights rights) {
    if (rights.end_unix_s == 0) return rights;
    if (rights.end_unix_s <= options_.unix_s()) return {};
    next_end_unix_s_ = std::min(next_end_unix_s_, rights.end_unix_s);
    return rights;
  }

  PeerRights find_rights(const std::string& key) { return in_force(options_.find_rights(key)); }

  /// A host has connected with its new key: the earlier ones are not needed any more.
  void end_replaced_keys(const std::string& key) {
    const auto renewed = rights_.find(key);
    if (renewed == rights_.end()) return;
    std::istringstream earlier(std::exchange(renewed->second.replaces, {}));
    for (std::string old; earlier >> old;) {
      options_.end_key(old);
      if (const auto known = rights_.find(old); known != rights_.end())
        change_rights(known->second, {});
    }
  }

  void change_rights(PeerRights& known, PeerRights rights) {
    if (core::allow_the_same(rights, known)) {
      known = std::move(rights);
      return;
    }
    log::warning("key_rights_changed", {{"name", known.name}, {"project", known.project}});
    std::erase_if(tcp_peers_, [&](const auto& peer) { return core::may_be(known, peer.first); });
    known = std::move(rights);
    close_tcp_events();
  }

  /// Authenticates peers by ZAP (ZeroMQ RFC 27). A key without rights is refused at the handshake;
  /// for the others the user id is the key.
  void answer_zap() {
    auto parts = receive_parts(zap_);
    if (!parts || parts->size() < 6) return;
    std::array<char, 41> key{};
    PeerRights rights;
    if ((*parts)[5] == "CURVE" && parts->size() == 7 && (*parts)[6].size() == 32 &&
        options_.find_rights) {
      zmq_z85_encode(key.data(), reinterpret_cast<const std::uint8_t*>((*parts)[6].data()), 32);
      rights = find_rights(key.data());
    }
    const bool is_accepted = core::is_known(rights);
    observe(is_accepted ? BrokerEvent::key_accepted : BrokerEvent::key_refused);
    if (!is_accepted) log_refusal((*parts)[3]);
    if (is_accepted)
      if (const auto [known, is_new] = rights_.try_emplace(key.data(), rights); !is_new)
        change_rights(known->second, std::move(rights));
    send_parts(zap_,
               {"1.0", (*parts)[1], is_accepted ? "200" : "400", is_accepted ? "OK" : "unknown key",
                is_accepted ? std::string(key.data()) : "", ""});
  }

  /// At most once a second, since anybody may connect; the metric counts all.
  void log_refusal(const std::string& address) {
    const auto now = options_.unix_s();
    if (std::exchange(refusal_logged_unix_s_, now) != now)
      log::warning("peer_refused", {{"address", address}});
  }

  /// Parses [connection][topic][envelope][body]; nothing if it is not a message.
  std::optional<Message> read(zmq::socket_t& socket, std::vector<std::string> parts) {
    auto envelope = parts.size() == 4 ? core::envelope_of(parts[2]) : std::nullopt;
    if (envelope)
      return Message{.socket = socket,
                     .connection = std::move(parts[0]),
                     .topic = std::move(parts[1]),
                     .envelope_bytes = std::move(parts[2]),
                     .body = std::move(parts[3]),
                     .envelope = std::move(*envelope)};
    observe(BrokerEvent::malformed);
    log::warning("message_malformed", {{"peer", parts[0]}, {"frames", parts.size()}});
    return std::nullopt;
  }

  /// Over ipc the routing id of a connection is the name of its process.
  void handle_local(std::vector<std::string> parts) {
    auto message = read(requests_, std::move(parts));
    if (!message) return;
    const auto& envelope = message->envelope;
    if (envelope.sender != message->connection) return drop(*message, message->connection);
    if (envelope.kind == msg::MessageKind::event &&
        !core::may_emit(envelope.sender, message->topic))
      return drop(*message, message->connection);
    tcp_peers_.erase(message->connection);
    route(*message);
  }

  void handle_tcp(std::vector<std::string> parts, const std::string& key) {
    auto message = read(tcp_requests_, std::move(parts));
    if (!message) return;
    const auto& envelope = message->envelope;
    const PeerRights rights = rights_with(key);
    if (!core::may_be(rights, envelope.sender)) return drop(*message, rights.name);
    if (!rights.replaces.empty()) end_replaced_keys(key);
    if (tcp_peers_.size() >= tcp_peers_max) tcp_peers_.clear();  // peers repeat their names
    tcp_peers_[envelope.sender] = message->connection;
    if (envelope.kind == msg::MessageKind::hello) return;
    if (envelope.kind == msg::MessageKind::event &&
        !core::may_emit(envelope.sender, message->topic))
      return drop(*message, envelope.sender);
    if (envelope.kind == msg::MessageKind::request &&
        !core::may_call(rights, envelope.sender, envelope.to, message->topic)) {
      drop(*message, envelope.sender);
      return refuse(
          *message, msg::ErrorCode::forbidden,
          msg::shown(envelope.sender) + " is not allowed to call " + msg::shown(message->topic));
    }
    route(*message);
  }

  PeerRights rights_with(const std::string& key) const {
    const auto known = rights_.find(key);
    return known == rights_.end() ? PeerRights{} : known->second;
  }

  void observe(BrokerEvent event, std::size_t bytes = 0) const { options_.observe(event, bytes); }

  void drop(const Message& message, const std::string& peer) {
    observe(BrokerEvent::forbidden);
    log::warning("message_refused",
                 {{"peer", peer}, {"sender", message.envelope.sender}, {"topic", message.topic}});
  }

  void route(const Message& message) {
    const auto& envelope = message.envelope;
    const auto bytes = message.topic.size() + message.envelope_bytes.size() + message.body.size();
    if (envelope.kind == msg::MessageKind::event) {
      observe(BrokerEvent::event, bytes);
      for (auto* socket : {&events_, &tcp_events_})
        send_parts(*socket, {message.topic, message.envelope_bytes, message.body});
      return;
    }
    const bool is_request = envelope.kind == msg::MessageKind::request;
    if (deliver(message))
      return observe(is_request ? BrokerEvent::request : BrokerEvent::reply, bytes);
    observe(BrokerEvent::callee_unreachable);
    if (!is_request) return;  // the caller has gone
    refuse(message, msg::ErrorCode::unavailable, msg::shown(envelope.to) + " is not connected");
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

  /// Grants a subscription if the peer's rights cover its prefix; else ignores and logs it.
  void handle_subscriptions() {
    zmq::message_t request;
    while (tcp_events_.recv(request, zmq::recv_flags::dontwait)) {
      if (request.size() < 1) continue;
      const std::string_view bytes = request.to_string_view();
      const std::string prefix(bytes.substr(1));
      if (bytes[0] == 0) {  // also sent when a peer disconnects; always allowed
        tcp_events_.set(zmq::sockopt::unsubscribe, prefix);
        continue;
      }
      const PeerRights rights = rights_with(core::user_of(request));
      if (!core::may_subscribe(rights, prefix)) {
        observe(BrokerEvent::subscription_refused);
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
  const core::http::ClientLimits limits_{options_.connections_max,
                                         options_.connections_per_address_max};
  ConnectionLimit request_connections_{limits_,
                                       [this] { observe(BrokerEvent::connection_refused); }};
  ConnectionLimit event_connections_{limits_, [this] { observe(BrokerEvent::connection_refused); }};
  std::map<std::string, PeerRights> rights_ = {};      // of accepted keys
  std::map<std::string, std::string> tcp_peers_ = {};  // name → connection
  bool is_reopening_ = false;                          // tcp_events_ is closed
  std::int64_t next_end_unix_s_ = no_end;              // of the known keys
  std::int64_t refusal_logged_unix_s_ = -1;
};

}  // namespace

void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping) {
  Broker broker(options);
  broker.run(is_stopping);
}

}  // namespace nucleus::bus

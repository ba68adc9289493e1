#include "services/console/driver/console_server.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <charconv>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "core/log/log.hpp"
#include "core/tls/wire.hpp"
#include "services/console/driver/unix_peer.hpp"

namespace nucleus::console {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;

namespace {

constexpr std::chrono::seconds handshake_s{10};
constexpr std::chrono::milliseconds unserved_ms{2'000};
constexpr std::chrono::milliseconds farewell_ms{500};
constexpr std::chrono::milliseconds accept_again_ms{100};
constexpr std::size_t head_bytes_max = 8192;
constexpr std::size_t socket_path_bytes_max = 107;
constexpr const char* reason_closed = "the console was closed";
constexpr const char* reason_taken = "the console is in use by another client";

std::optional<tcp::endpoint> endpoint_of(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return {};
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  beast::error_code fault;
  const auto address = asio::ip::make_address(host, fault);
  unsigned short port = 0;
  const char* const last = listen.data() + listen.size();
  const auto [end, error] = std::from_chars(listen.data() + colon + 1, last, port);
  if (fault || error != std::errc{} || end != last) return {};
  return tcp::endpoint{address, port};
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" +
         std::to_string(endpoint.port());
}

std::string last_bytes(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (path.empty() || !file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  std::string text(std::min(size, bytes_max), '\0');
  file.seekg(static_cast<std::streamoff>(size - text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

struct ConsoleServer::Server : std::enable_shared_from_this<Server> {
  class Session;

  Server(ConsoleServerOptions server_options, Metrics& server_metrics, TakeTicket take)
      : options{std::move(server_options)}, metrics{server_metrics}, take_ticket{std::move(take)} {}

  ConsoleServerOptions options;
  Metrics& metrics;
  TakeTicket take_ticket;
  std::string address = {};
  bool is_stopping = false;
  std::uint64_t session_last = 0;
  std::map<std::uint64_t, std::weak_ptr<Session>> sessions = {};
  std::map<std::uint64_t, std::shared_ptr<Session>> waiting = {};  // for their ticket's answer
  // QEMU serves one client of a serial console: the newest viewer has it.
  std::map<std::string, std::weak_ptr<Session>> serial_owners = {};
  asio::io_context context{1};  // after all that sessions use: it ends those that are left
  tcp::acceptor acceptor{context};
  asio::steady_timer timer{context};
  std::thread thread = {};

  void open() {
    const auto endpoint = endpoint_of(options.listen);
    if (!endpoint) throw std::runtime_error("console.listen must be ADDRESS:PORT");
    acceptor.open(endpoint->protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(*endpoint);
    acceptor.listen();
    address = text_of(acceptor.local_endpoint());
    accept();
    thread = std::thread([this] { context.run(); });
  }
  void accept();
  void stop();
  void take(std::uint64_t session_id, const std::string& ticket);
};

/// One viewer, from its handshake to its end; all on the server's thread.
class ConsoleServer::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, tcp::socket socket)
      : server_{server},
        id_{++server.session_last},
        viewer_{std::move(socket)},
        console_socket_{server.context},
        stall_{server.context},
        served_{server.context} {
    beast::error_code ignored;
    tcp_stream().socket().set_option(tcp::no_delay(true), ignored);
  }
  ~Session() {
    if (is_joined_) server_.metrics.sessions.Decrement();
    server_.sessions.erase(id_);
    if (server_.is_stopping && server_.sessions.empty()) server_.context.stop();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void begin() {
    server_.sessions[id_] = weak_from_this();
    if (!server_.options.certificate) return read_head();
    wire().async_secure(server_.options.certificate->context(), handshake_s, buffer_,
                        [self = shared_from_this()](beast::error_code fault, bool is_plain) {
                          if (is_plain)
                            return self->answer(http::status::bad_request,
                                                "this port speaks TLS: https:// and wss://");
                          if (!fault) self->read_head();
                        });
  }

  /// The ticket's answer.
  void decide(const core::Result<Console>& console) {
    if (console) {
      console_ = *console;
      return upgrade();
    }
    const bool is_ours = console.error().code == core::ErrorCode::forbidden;
    answer(is_ours ? http::status::forbidden : http::status::service_unavailable,
           console.error().detail);
  }

  /// Tells the viewer why and ends.
  void end(const std::string& why, websocket::close_code code = websocket::close_code::normal) {
    if (is_ended_) return;
    is_ended_ = true;
    beast::error_code ignored;
    console_socket_.close(ignored);
    if (!is_open_) return tcp_stream().close();
    websocket::close_reason reason{code};
    reason.reason = why;
    viewer_.async_close(reason, [self = shared_from_this()](beast::error_code) {});
  }

 private:
  core::Wire& wire() { return viewer_.next_layer(); }
  beast::tcp_stream& tcp_stream() { return wire().next_layer(); }

  void read_head() {
    parser_.header_limit(head_bytes_max);
    tcp_stream().expires_after(handshake_s);
    http::async_read_header(
        wire(), buffer_, parser_,
        [self = shared_from_this()](beast::error_code fault, std::size_t) {
          if (fault == http::error::header_limit)
            return self->answer(http::status::request_header_fields_too_large,
                                "the request's head is too large");
          if (fault.category() == http::make_error_code(http::error::bad_method).category() &&
              fault != http::error::end_of_stream && fault != http::error::partial_message)
            return self->answer(http::status::bad_request,
                                "the request is malformed: " + fault.message());
          if (!fault) self->take_head();
        });
  }

  void take_head() {
    const auto& request = parser_.get();
    const std::string target(request.target());
    if (target == "/healthz") return answer_with(http::status::ok, {{"status", "ok"}});
    if (target != "/console") return answer(http::status::not_found, "Not found.");
    if (!websocket::is_upgrade(request))
      return answer(http::status::upgrade_required, "a WebSocket is needed");
    std::string protocols;
    const auto lines = request.equal_range(http::field::sec_websocket_protocol);
    for (auto line = lines.first; line != lines.second; ++line)
      protocols += std::string(line->value()) + ",";
    const std::string ticket = ticket_in(protocols);
    if (ticket.empty())
      return answer(http::status::unauthorized,
                    "Sec-WebSocket-Protocol must be nucleus.console, nucleus.ticket.TICKET");
    server_.take(id_, ticket);
  }

  void answer(http::status status, const std::string& detail) {
    answer_with(status, {{"detail", detail}});
  }

  void answer_with(http::status status, const nlohmann::json& body) {
    auto message = std::make_shared<http::response<http::string_body>>(status, 11);
    message->set(http::field::content_type, "application/json");
    message->keep_alive(false);
    message->body() = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    message->prepare_payload();
    tcp_stream().expires_after(handshake_s);
    http::async_write(wire(), *message,
                      [self = shared_from_this(), message](beast::error_code, std::size_t) {
                        self->wire().async_end([self] {});
                      });
  }

  void upgrade() {
    tcp_stream().expires_never();
    viewer_.set_option(websocket::stream_base::timeout{
        .handshake_timeout = handshake_s,
        .idle_timeout = std::chrono::seconds(server_.options.idle_s),
        .keep_alive_pings = true});
    viewer_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol,
                   boost::string_view(subprotocol.data(), subprotocol.size()));
    }));
    viewer_.read_message_max(server_.options.frame_bytes_max);
    viewer_.binary(true);
    viewer_.async_accept(parser_.get(), [self = shared_from_this()](beast::error_code fault) {
      if (fault || self->is_ended_) return self->leave();
      self->is_open_ = true;
      self->connect();
    });
  }

  /// After the upgrade: only an open WebSocket can tell a browser why there is no console.
  void connect() {
    if (console_.socket_path.size() > socket_path_bytes_max)
      return end("the console's path is too long", websocket::close_code::internal_error);
    if (console_.kind == msg::ConsoleKind::serial) {
      auto& owner = server_.serial_owners[console_.socket_path];
      if (const auto before = owner.lock()) before->end("opened by another viewer");
      owner = weak_from_this();
    }
    console_socket_.async_connect(
        unix_stream::endpoint(console_.socket_path),
        [self = shared_from_this()](beast::error_code fault) {
          if (self->is_ended_) return;
          // So asio says EAGAIN: QEMU's queue is full.
          if (fault == asio::error::no_buffer_space)
            return self->end(reason_taken, websocket::close_code::try_again_later);
          if (fault) return self->end("the console's socket is gone: " + fault.message());
          self->join();
        });
  }

  void join() {
    is_joined_ = true;
    server_.metrics.sessions.Increment();
    served_.expires_after(unserved_ms);
    served_.async_wait([weak = weak_from_this()](beast::error_code fault) {
      const auto self = weak.lock();
      if (fault || !self || self->is_ended_) return;
      if (!is_accepted(self->console_socket_.native_handle()).value_or(true))
        self->end(reason_taken, websocket::close_code::try_again_later);
    });
    buffer_.clear();
    read_viewer();
    to_viewer_ = last_bytes(console_.log_path, server_.options.replay_bytes_max);
    if (to_viewer_.empty()) return read_console();
    write_viewer();
  }

  void read_viewer() {
    viewer_.async_read(buffer_, [self = shared_from_this()](beast::error_code fault, std::size_t) {
      if (fault) return self->leave();
      if (self->is_ended_) return;
      self->server_.metrics.bytes_from_viewers.Increment(static_cast<double>(self->buffer_.size()));
      asio::async_write(self->console_socket_, self->buffer_.data(),
                        [self](beast::error_code broken, std::size_t) {
                          if (broken) return self->end(reason_closed);
                          self->buffer_.clear();
                          self->read_viewer();
                        });
    });
  }

  void read_console() {
    console_socket_.async_read_some(
        asio::buffer(from_console_),
        [self = shared_from_this()](beast::error_code fault, std::size_t size) {
          if (fault) return self->end(reason_closed);
          self->to_viewer_.assign(self->from_console_.data(), size);
          self->write_viewer();
        });
  }

  void write_viewer() {
    watch_stall();
    viewer_.async_write(asio::buffer(to_viewer_), [self = shared_from_this()](
                                                      beast::error_code fault, std::size_t size) {
      self->stall_.cancel();
      if (fault) return self->leave();
      self->server_.metrics.bytes_to_viewers.Increment(static_cast<double>(size));
      if (!self->is_ended_) self->read_console();
    });
  }

  /// One buffer must be taken within `stall_s`: a guest that prints must not wait for a viewer.
  void watch_stall() {
    stall_.expires_after(std::chrono::seconds(server_.options.stall_s));
    stall_.async_wait([weak = weak_from_this()](beast::error_code fault) {
      const auto self = weak.lock();
      if (fault || !self || self->stall_.expiry() > std::chrono::steady_clock::now()) return;
      core::log::info("viewer_cut", {{"node", self->console_.node_id.value}});
      self->server_.metrics.viewers_cut.Increment();
      self->leave();
    });
  }

  /// The viewer has gone, or must.
  void leave() {
    is_ended_ = true;
    beast::error_code ignored;
    console_socket_.close(ignored);
    tcp_stream().close();
  }

  Server& server_;
  const std::uint64_t id_;
  websocket::stream<core::Wire> viewer_;
  unix_stream::socket console_socket_;
  asio::steady_timer stall_;
  asio::steady_timer served_;
  beast::flat_buffer buffer_ = {};
  http::request_parser<http::empty_body> parser_ = {};
  Console console_ = {};
  std::array<char, 16 * 1024> from_console_ = {};
  std::string to_viewer_ = {};
  bool is_open_ = false;    // a WebSocket
  bool is_joined_ = false;  // to its console
  bool is_ended_ = false;
};

void ConsoleServer::Server::accept() {
  acceptor.async_accept([this](beast::error_code fault, tcp::socket socket) {
    if (is_stopping || fault == asio::error::operation_aborted) return;
    std::erase_if(serial_owners, [](const auto& owner) { return owner.second.expired(); });
    if (!fault) {
      if (sessions.size() < options.connections_max)
        std::make_shared<Session>(*this, std::move(socket))->begin();
      return accept();
    }
    // Descriptors may have run out: trying at once would only spin.
    core::log::warning("viewer_not_accepted", {{"reason", fault.message()}});
    timer.expires_after(accept_again_ms);
    timer.async_wait([this](beast::error_code cancelled) {
      if (!cancelled && !is_stopping) accept();
    });
  });
}

void ConsoleServer::Server::take(std::uint64_t session_id, const std::string& ticket) {
  waiting[session_id] = sessions[session_id].lock();
  take_ticket(ticket, [weak = weak_from_this(), session_id](core::Result<Console> console) {
    const auto server = weak.lock();
    if (!server) return;
    asio::post(server->context, [&into = *server, session_id, console = std::move(console)] {
      const auto waited = into.waiting.extract(session_id);
      if (waited) waited.mapped()->decide(console);
    });
  });
}

void ConsoleServer::Server::stop() {
  is_stopping = true;
  beast::error_code ignored;
  acceptor.close(ignored);
  waiting.clear();
  const auto leaving = sessions;
  for (const auto& [id, session] : leaving)
    if (const auto one = session.lock())
      one->end("the console service stops", websocket::close_code::going_away);
  if (sessions.empty()) return context.stop();
  timer.expires_after(farewell_ms);
  timer.async_wait([this](beast::error_code) { context.stop(); });
}

ConsoleServer::ConsoleServer(ConsoleServerOptions options, Metrics& metrics, TakeTicket take_ticket)
    : server_{std::make_shared<Server>(std::move(options), metrics, std::move(take_ticket))} {
  server_->open();
}

ConsoleServer::~ConsoleServer() {
  asio::post(server_->context, [server = server_.get()] { server->stop(); });
  server_->thread.join();
}

const std::string& ConsoleServer::address() const {
  return server_->address;
}

bool is_listen_address(const std::string& listen) {
  return endpoint_of(listen).has_value();
}

}  // namespace nucleus::console

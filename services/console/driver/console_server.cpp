#include "services/console/driver/console_server.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>

#include "core/log/log.hpp"

namespace nucleus::console {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using unix_stream = asio::local::stream_protocol;

namespace {

constexpr std::chrono::seconds handshake_s{10};
constexpr std::size_t head_bytes_max = 8192;

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
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  std::size_t connections = 0;
  // QEMU serves one client of a serial console: the newest viewer has it.
  std::map<std::string, std::weak_ptr<Session>> serial_owners;
  std::thread thread;

  void open() {
    const auto colon = options.listen.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("console.listen is no ADDRESS:PORT");
    const tcp::endpoint endpoint{
        asio::ip::make_address(options.listen.substr(0, colon)),
        static_cast<unsigned short>(std::stoul(options.listen.substr(colon + 1)))};
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    accept();
    thread = std::thread([this] { context.run(); });
  }
  void accept();
};

/// One viewer, from its handshake to its end; all on the server's thread.
class ConsoleServer::Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Server> server, tcp::socket socket)
      : server_{std::move(server)}, viewer_{std::move(socket)}, console_socket_{server_->context} {
    ++server_->connections;
  }
  ~Session() {
    --server_->connections;
    if (is_joined_) server_->metrics.sessions.Decrement();
  }

  void begin() {
    parser_.header_limit(head_bytes_max);
    parser_.body_limit(0);
    beast::get_lowest_layer(viewer_).expires_after(handshake_s);
    http::async_read(beast::get_lowest_layer(viewer_), buffer_, parser_,
                     [self = shared_from_this()](beast::error_code fault, std::size_t) {
                       if (!fault) self->take_head();
                     });
  }

  /// Tells the viewer why and ends.
  void end(const std::string& why) {
    if (is_ended_) return;
    is_ended_ = true;
    beast::error_code ignored;
    console_socket_.close(ignored);
    websocket::close_reason reason{websocket::close_code::normal};
    reason.reason = why;
    viewer_.async_close(reason, [self = shared_from_this()](beast::error_code) {});
  }

 private:
  void take_head() {
    const auto& request = parser_.get();
    const std::string target(request.target());
    if (target == "/healthz") return answer(http::status::ok, "{\"status\":\"ok\"}");
    if (target != "/console") return answer(http::status::not_found, R"({"detail":"Not found."})");
    if (!websocket::is_upgrade(request))
      return answer(http::status::upgrade_required, R"({"detail":"a WebSocket is needed"})");
    const auto said = request[http::field::sec_websocket_protocol];
    const std::string ticket = ticket_in({said.data(), said.size()});
    if (ticket.empty())
      return answer(http::status::unauthorized, R"({"detail":"there is no nucleus.ticket"})");
    server_->take_ticket(ticket, [self = shared_from_this()](core::Result<Console> console) {
      asio::post(self->server_->context, [self, console = std::move(console)] {
        if (console) return self->connect(*console);
        const bool is_ours = console.error().code == core::ErrorCode::forbidden;
        self->answer(is_ours ? http::status::forbidden : http::status::service_unavailable,
                     "{\"detail\":\"" + console.error().detail + "\"}");
      });
    });
  }

  void answer(http::status status, const std::string& body) {
    auto message = std::make_shared<http::response<http::string_body>>(status, 11);
    message->set(http::field::content_type, "application/json");
    message->keep_alive(false);
    message->body() = body;
    message->prepare_payload();
    http::async_write(beast::get_lowest_layer(viewer_), *message,
                      [self = shared_from_this(), message](beast::error_code, std::size_t) {
                        beast::error_code ignored;
                        beast::get_lowest_layer(self->viewer_)
                            .socket()
                            .shutdown(tcp::socket::shutdown_send, ignored);
                      });
  }

  void connect(const Console& console) {
    console_ = console;
    if (console.kind == msg::ConsoleKind::serial) {
      auto& owner = server_->serial_owners[console.socket_path];
      if (const auto before = owner.lock()) before->end("opened by another viewer");
      owner = weak_from_this();
    }
    console_socket_.async_connect(unix_stream::endpoint(console.socket_path),
                                  [self = shared_from_this()](beast::error_code fault) {
                                    if (fault)
                                      return self->answer(
                                          http::status::service_unavailable,
                                          R"({"detail":"the console's socket is gone"})");
                                    self->upgrade();
                                  });
  }

  void upgrade() {
    beast::get_lowest_layer(viewer_).expires_never();
    viewer_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    viewer_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(http::field::sec_websocket_protocol, "nucleus.console");
    }));
    viewer_.read_message_max(server_->options.frame_bytes_max);
    viewer_.binary(true);
    viewer_.async_accept(parser_.get(), [self = shared_from_this()](beast::error_code fault) {
      if (!fault) self->join();
    });
  }

  void join() {
    is_joined_ = true;
    server_->metrics.sessions.Increment();
    buffer_.clear();
    read_viewer();
    to_viewer_ = last_bytes(console_.log_path, server_->options.replay_bytes_max);
    if (to_viewer_.empty()) return read_console();
    write_viewer();
  }

  void read_viewer() {
    viewer_.async_read(buffer_, [self = shared_from_this()](beast::error_code fault, std::size_t) {
      if (fault) return self->leave();
      self->server_->metrics.bytes_from_viewers.Increment(
          static_cast<double>(self->buffer_.size()));
      asio::async_write(self->console_socket_, self->buffer_.data(),
                        [self](beast::error_code broken, std::size_t) {
                          if (broken) return self->end("the console was closed");
                          self->buffer_.clear();
                          self->read_viewer();
                        });
    });
  }

  void read_console() {
    console_socket_.async_read_some(
        asio::buffer(from_console_),
        [self = shared_from_this()](beast::error_code fault, std::size_t size) {
          if (fault) return self->end("the console was closed");
          self->to_viewer_.assign(self->from_console_.data(), size);
          self->write_viewer();
        });
  }

  void write_viewer() {
    viewer_.async_write(asio::buffer(to_viewer_), [self = shared_from_this()](
                                                      beast::error_code fault, std::size_t size) {
      if (fault) return self->leave();
      self->server_->metrics.bytes_to_viewers.Increment(static_cast<double>(size));
      self->read_console();
    });
  }

  /// The viewer has gone.
  void leave() {
    is_ended_ = true;
    beast::error_code ignored;
    console_socket_.close(ignored);
  }

  std::shared_ptr<Server> server_;
  websocket::stream<beast::tcp_stream> viewer_;
  unix_stream::socket console_socket_;
  beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  Console console_ = {};
  std::array<char, 16 * 1024> from_console_{};
  std::string to_viewer_ = {};
  bool is_joined_ = false;
  bool is_ended_ = false;
};

void ConsoleServer::Server::accept() {
  acceptor.async_accept([this](beast::error_code fault, tcp::socket socket) {
    if (fault == asio::error::operation_aborted) return;
    if (fault)
      core::log::warning("viewer_not_accepted", {{"reason", fault.message()}});
    else if (connections < options.connections_max)
      std::make_shared<Session>(shared_from_this(), std::move(socket))->begin();
    std::erase_if(serial_owners, [](const auto& owner) { return owner.second.expired(); });
    accept();
  });
}

ConsoleServer::ConsoleServer(ConsoleServerOptions options, Metrics& metrics, TakeTicket take_ticket)
    : server_{std::make_shared<Server>(std::move(options), metrics, std::move(take_ticket))} {
  server_->open();
}

ConsoleServer::~ConsoleServer() {
  server_->context.stop();
  server_->thread.join();
}

std::string ConsoleServer::address() const {
  const auto endpoint = server_->acceptor.local_endpoint();
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

}  // namespace nucleus::console

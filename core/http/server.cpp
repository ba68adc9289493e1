#include "core/http/server.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "core/http/server_state.hpp"
#include "core/http/websocket_connection.hpp"
#include "core/log/log.hpp"

namespace nucleus::core::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using SystemError = boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds accept_retry_delay{100};
constexpr std::chrono::milliseconds close_timeout{500};  // of WebSockets, at the server's end

/// Sends 503 if that does not block; otherwise the client sees only that the connection closes.
void refuse_connection(tcp::socket& socket) {
  constexpr std::string_view response =
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
      "Connection: close\r\n\r\n";
  SystemError ignored;
  std::array<char, 16 * 1024> request{};  // unread, it would reset the connection
  socket.non_blocking(true, ignored);
  socket.read_some(asio::buffer(request), ignored);
  socket.write_some(asio::buffer(response), ignored);
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

Response plain_text_error(int status, const std::string& detail, const std::string&) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = detail + "\n"};
}

asio::ip::address client_of(const asio::ip::address& address) {
  if (!address.is_v6() || address.to_v6().is_v4_mapped()) return address;
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return asio::ip::address_v6(bytes);
}

}  // namespace

ClientShare::ClientShare(AddressCounter& counter, const asio::ip::address& address)
    : counter_{counter}, client_{client_of(address)} {}

bool ClientShare::take(std::size_t amount) {
  if (!counter_.take(client_, amount)) return false;
  held_ += amount;
  return true;
}

void ClientShare::release() {
  if (held_ > 0) counter_.release(client_, held_);
  held_ = 0;
}

bool QueuedStream::send(std::string text) {
  const auto put = queue_->put(std::move(text));
  if (put == StreamQueue::Put::wake_writer) mailbox_->post(write_);
  if (put == StreamQueue::Put::overflow) mailbox_->post(cut_);
  return put == StreamQueue::Put::queued || put == StreamQueue::Put::wake_writer;
}

void QueuedStream::close() {
  queue_->close();
  mailbox_->post(cut_);
}

ServerState::ServerState(ServerOptions options_, Server::Handler handler_,
                         Server::NeedsPlan needs_plan_, Server::PlanBody plan_body_)
    : options{std::move(options_)},
      handler{std::move(handler_)},
      needs_plan{std::move(needs_plan_)},
      plan_body{std::move(plan_body_)},
      connections(1 + options.also_listen.size(),
                  AddressCounter({.all = options.connections_max,
                                  .per_client = options.connections_per_address_max})),
      body_bytes{
          {.all = options.bodies_bytes_max, .per_client = options.bodies_bytes_per_address_max}} {
  if (!options.render_error) options.render_error = plain_text_error;
}

/// Accepts connections; owns the server's thread.
struct Server::Listener : ServerState {
  using ServerState::ServerState;

  struct Port {
    explicit Port(asio::io_context& context) : acceptor{context}, timer{context} {}
    tcp::acceptor acceptor;
    asio::steady_timer timer;
  };
  std::vector<std::unique_ptr<Port>> ports = {};  // by Request::listener
  asio::steady_timer stop_timer{context};
  std::thread thread = {};
  bool is_stopping = false;

  void open() {
    for (std::size_t i = 0; i <= options.also_listen.size(); ++i) {
      const auto& endpoint = listen_options(i).endpoint;
      auto& acceptor = ports.emplace_back(std::make_unique<Port>(context))->acceptor;
      try {
        // Asio only accepts from it, reads and writes: that is the same for all stream sockets.
        if (const int given = listen_options(i).descriptor; given >= 0) {
          acceptor.assign(tcp::v4(), given);
          continue;
        }
        const tcp::endpoint where{asio::ip::make_address(endpoint.address), endpoint.port};
        acceptor.open(where.protocol());
        acceptor.set_option(asio::socket_base::reuse_address(true));
        acceptor.bind(where);
        acceptor.listen();
      } catch (const boost::system::system_error& error) {
        throw std::runtime_error("cannot listen on " + endpoint.text() + ": " +
                                 error.code().message());
      }
    }
  }

  void start() {
    for (std::size_t i = 0; i < ports.size(); ++i) accept(i);
    thread = std::thread([this] { context.run(); });
  }

  void accept(std::size_t listener) {
    ports[listener]->acceptor.async_accept([this, listener](SystemError error, tcp::socket socket) {
      if (is_stopping || error == asio::error::operation_aborted) return;
      if (error) return accept_later(listener, error.message());
      SystemError gone;
      const bool is_given = listen_options(listener).descriptor >= 0;
      const auto address = is_given ? asio::ip::address(asio::ip::address_v4::loopback())
                                    : socket.remote_endpoint(gone).address();
      if (gone) return accept(listener);
      if (auto slot = std::make_unique<ClientShare>(connections[listener], address); slot->take(1))
        serve_connection(*this, std::move(socket), std::move(slot), listener);
      else if (!listen_options(listener).certificate)  // a TLS handshake would cost more
        refuse_connection(socket);
      accept(listener);
    });
  }

  /// File descriptors may have run out: retrying immediately would only spin.
  void accept_later(std::size_t listener, const std::string& reason) {
    log::warning("connection_not_accepted", {{"reason", reason}});
    auto& timer = ports[listener]->timer;
    timer.expires_after(accept_retry_delay);
    timer.async_wait([this, listener](SystemError cancelled) {
      if (!cancelled && !is_stopping) accept(listener);
    });
  }

  void stop() {
    is_stopping = true;
    SystemError ignored;
    for (const auto& port : ports) port->acceptor.close(ignored);
    on_websocket_end = [this] {
      if (websockets.empty()) context.stop();
    };
    const auto open_websockets = websockets;
    for (const auto& [key, weak] : open_websockets)
      if (const auto websocket = weak.lock())
        websocket->close(CloseCode::going_away, options.stop_reason);
    if (websockets.empty()) return context.stop();
    stop_timer.expires_after(close_timeout);
    stop_timer.async_wait([this](SystemError) { context.stop(); });
  }
};

Server::Server(ServerOptions options, Handler handler, NeedsPlan needs_plan, PlanBody plan_body)
    : listener_{std::make_unique<Listener>(std::move(options), std::move(handler),
                                           std::move(needs_plan), std::move(plan_body))} {
  listener_->open();
}

Server::~Server() {
  if (listener_->thread.joinable()) {
    asio::post(listener_->context, [this] { listener_->stop(); });
    listener_->thread.join();
  }
  listener_->on_websocket_end = [] {};
  listener_->mailbox->close();
  listener_->waiting.clear();
}

void Server::start() {
  listener_->start();
}

Endpoint Server::endpoint(std::size_t listener) const {
  const auto bound = listener_->ports.at(listener)->acceptor.local_endpoint();
  return {.address = bound.address().to_string(),
          .port = bound.port(),
          .is_ipv6 = bound.address().is_v6()};
}

void Server::after(std::chrono::milliseconds delay, std::function<void()> action) {
  auto timer = std::make_shared<asio::steady_timer>(listener_->context, delay);
  timer->async_wait([timer, action = std::move(action)](SystemError cancelled) {
    if (!cancelled) action();
  });
}

void Server::post(std::function<void()> action) {
  listener_->mailbox->post(std::move(action));
}

}  // namespace nucleus::core::http

#include "gateway/http_server.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>
#include <thread>

#include "core/log/log.hpp"
#include "gateway/http_connection.hpp"

namespace nucleus::gateway {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds accept_again_ms{100};

}  // namespace

struct HttpServer::Server : HttpServing, std::enable_shared_from_this<Server> {
  tcp::acceptor acceptor{context};
  asio::steady_timer timer{context};
  std::thread thread;

  void open() {
    const auto colon = options.listen.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("gateway.listen is no ADDRESS:PORT");
    const auto address = asio::ip::make_address(options.listen.substr(0, colon));
    const auto port = static_cast<unsigned short>(std::stoul(options.listen.substr(colon + 1)));
    const tcp::endpoint endpoint{address, port};
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    accept();
    thread = std::thread([this] { context.run(); });
  }

  void accept() {
    acceptor.async_accept([this](boost::system::error_code fault, tcp::socket socket) {
      if (fault == asio::error::operation_aborted) return;
      if (fault) return accept_later(fault.message());
      if (connections < options.connections_max)
        begin_connection(shared_from_this(), std::move(socket));
      accept();
    });
  }

  /// Descriptors may have run out: trying at once would only spin.
  void accept_later(const std::string& reason) {
    core::log::warning("connection_not_accepted", {{"reason", reason}});
    timer.expires_after(accept_again_ms);
    timer.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled) accept();
    });
  }
};

HttpServer::HttpServer(HttpServerOptions options, Handle handle,
                       std::function<bool(const HttpRequest&)> is_upload, Plan plan)
    : server_{std::make_shared<Server>()} {
  server_->options = std::move(options);
  server_->handle = std::move(handle);
  server_->is_upload = std::move(is_upload);
  server_->plan = std::move(plan);
  server_->open();
}

HttpServer::~HttpServer() {
  server_->context.stop();
  server_->thread.join();
}

std::string HttpServer::address() const {
  const auto endpoint = server_->acceptor.local_endpoint();
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

}  // namespace nucleus::gateway

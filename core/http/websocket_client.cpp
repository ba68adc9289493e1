#include "core/http/websocket_client.hpp"

#include "core/http/websocket_connection.hpp"

namespace nucleus::core::http {

namespace asio = boost::asio;
using BeastError = boost::beast::error_code;

namespace {

/// One attempt: connects, performs the handshakes, and reports.
class Opening : public std::enable_shared_from_this<Opening> {
 public:
  using Done = std::function<void(Result<std::shared_ptr<WebSocket>>)>;

  Opening(asio::any_io_executor executor, WebSocketTarget target, Done done)
      : target_{std::move(target)},
        done_{std::move(done)},
        resolver_{executor},
        stream_{std::make_unique<ByteStream>(asio::ip::tcp::socket(std::move(executor)))} {}

  void open() {
    if (!target_.host.empty()) return resolve();
    BeastError error;
    const auto address = asio::ip::make_address(target_.endpoint.address, error);
    if (error) return fail("is not an address");
    stream_->next_layer().expires_after(timeout());
    stream_->next_layer().async_connect(
        asio::ip::tcp::endpoint(address, target_.endpoint.port),
        [self = shared_from_this()](BeastError failed) { self->on_connected(failed); });
  }

 private:
  const std::string& host() const {
    return target_.host.empty() ? target_.endpoint.address : target_.host;
  }
  /// As in a URL.
  std::string host_and_port() const {
    if (target_.host.empty()) return target_.endpoint.text();
    const bool is_ipv6 = target_.host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + target_.host + "]" : target_.host) + ":" +
           std::to_string(target_.endpoint.port);
  }

  void resolve() {
    resolver_.async_resolve(
        target_.host, std::to_string(target_.endpoint.port),
        asio::ip::resolver_base::numeric_service,
        [self = shared_from_this()](BeastError failed,
                                    const asio::ip::tcp::resolver::results_type& found) {
          if (failed) return self->fail(failed.message());
          self->stream_->next_layer().expires_after(self->timeout());
          self->stream_->next_layer().async_connect(
              found, [self](BeastError error, const asio::ip::tcp::endpoint&) {
                self->on_connected(error);
              });
        });
  }

  void on_connected(BeastError failed) {
    if (failed) return fail(failed.message());
    BeastError ignored;
    stream_->next_layer().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    target_.trust ? secure() : upgrade();
  }

  std::chrono::seconds timeout() const { return std::chrono::seconds(target_.timeout_s); }

  void secure() {
    stream_->async_connect_tls(target_.trust->context(), host(), timeout(),
                               [self = shared_from_this()](BeastError failed) {
                                 if (failed) return self->fail("TLS: " + failed.message());
                                 self->upgrade();
                               });
  }

  void upgrade() {
    const auto websocket = std::make_shared<WebSocketConnection>(
        std::move(stream_),
        WebSocketConnection::Limits{.message_bytes_max = target_.message_bytes_max,
                                    .is_binary = true,
                                    .stall_s = target_.stall_s,
                                    .handshake_s = target_.timeout_s,
                                    .idle_s = target_.idle_s});
    websocket->connect(host_and_port(), target_.path, target_.subprotocols,
                       [self = shared_from_this(), websocket](const std::string& reason) {
                         if (!reason.empty()) return self->fail(reason);
                         self->done_(std::shared_ptr<WebSocket>(websocket));
                       });
  }

  void fail(const std::string& reason) {
    done_(refuse(ErrorCode::unavailable, host_and_port() + ": " + reason));
  }

  WebSocketTarget target_;
  Done done_;
  asio::ip::tcp::resolver resolver_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace

void open_websocket(asio::any_io_executor executor, WebSocketTarget target,
                    std::function<void(Result<std::shared_ptr<WebSocket>>)> done) {
  std::make_shared<Opening>(std::move(executor), std::move(target), std::move(done))->open();
}

}  // namespace nucleus::core::http

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
        stream_{std::make_unique<ByteStream>(asio::ip::tcp::socket(std::move(executor)))} {}

  void connect() {
    BeastError error;
    const auto address = asio::ip::make_address(target_.endpoint.address, error);
    if (error) return fail("is not an address");
    stream_->next_layer().expires_after(timeout());
    stream_->next_layer().async_connect(asio::ip::tcp::endpoint(address, target_.endpoint.port),
                                        [self = shared_from_this()](BeastError failed) {
                                          if (failed) return self->fail(failed.message());
                                          BeastError ignored;
                                          self->stream_->next_layer().socket().set_option(
                                              asio::ip::tcp::no_delay(true), ignored);
                                          self->target_.trust ? self->secure() : self->upgrade();
                                        });
  }

 private:
  std::chrono::seconds timeout() const { return std::chrono::seconds(target_.timeout_s); }

  void secure() {
    stream_->async_connect_tls(target_.trust->context(), target_.endpoint.address, timeout(),
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
    websocket->connect(target_.endpoint.text(), target_.path, target_.subprotocols,
                       [self = shared_from_this(), websocket](const std::string& reason) {
                         if (!reason.empty()) return self->fail(reason);
                         self->done_(std::shared_ptr<WebSocket>(websocket));
                       });
  }

  void fail(const std::string& reason) {
    done_(refuse(ErrorCode::unavailable, target_.endpoint.text() + ": " + reason));
  }

  WebSocketTarget target_;
  Done done_;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace

void open_websocket(asio::any_io_executor executor, WebSocketTarget target,
                    std::function<void(Result<std::shared_ptr<WebSocket>>)> done) {
  std::make_shared<Opening>(std::move(executor), std::move(target), std::move(done))->connect();
}

}  // namespace nucleus::core::http

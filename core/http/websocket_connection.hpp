// A connection that was upgraded to a WebSocket. Private to core/http.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket.hpp>
#include <memory>

#include "core/http/byte_stream.hpp"
#include "core/http/server_state.hpp"
#include "core/http/websocket.hpp"

namespace nucleus::core::http {

class WebSocketConnection : public WebSocket,
                            public std::enable_shared_from_this<WebSocketConnection> {
 public:
  using UpgradeRequest = boost::beast::http::request<boost::beast::http::empty_body>;
  struct Parts {
    std::unique_ptr<ByteStream> stream = {};
    std::unique_ptr<ClientShare> slot = {};
    WebSocketUpgrade upgrade = {};
  };

  WebSocketConnection(ServerState& state, Parts parts);
  ~WebSocketConnection() override;

  /// Sends 101, then calls `on_open`.
  void accept(UpgradeRequest request);

  void receive(std::function<void(std::optional<std::string_view>)> done) override;
  void send(std::string message, std::function<void(Sent)> done) override;
  void close(CloseCode code, const std::string& reason) override;
  void disconnect() override;
  boost::asio::any_io_executor executor() override { return state_.context.get_executor(); }

 private:
  void watch_stall();

  ServerState& state_;
  Parts parts_;
  boost::beast::websocket::stream<ByteStream&> socket_;
  boost::asio::steady_timer stall_timer_;
  boost::beast::flat_buffer received_ = {};
  std::string sending_ = {};
  std::uint64_t sent_ = 0;  // messages
  bool is_stalled_ = false;
  bool is_closing_ = false;
};

/// An upgrade whose WebSocket is a Stream: sends its texts, drops what it receives.
WebSocketUpgrade stream_upgrade(ServerState& state,
                                std::function<void(std::shared_ptr<Stream>)> on_open);

}  // namespace nucleus::core::http

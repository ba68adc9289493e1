// A WebSocket over a ByteStream, on a server's or a client's side. Private to core/http.
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
  struct Limits {
    std::size_t message_bytes_max = 4096;  // received
    bool is_binary = false;                // type of the messages sent
    int stall_s = 0;                       // a message must be written within this; 0 = no limit
    int handshake_s = 10;
    int idle_s = 60;  // pings find out that the other side is gone
  };

  WebSocketConnection(std::unique_ptr<ByteStream> stream, Limits limits);
  ~WebSocketConnection() override;

  /// Called by the destructor.
  void on_end(std::function<void()> handler) { on_end_ = std::move(handler); }

  /// Sends 101 with the selected `subprotocol`, unless it is empty; then calls `on_open`.
  void accept(UpgradeRequest request, const std::string& subprotocol,
              std::function<void(std::shared_ptr<WebSocket>)> on_open);
  /// Asks the server for the upgrade. `done` gets an empty text, or why it was refused.
  void connect(const std::string& host, const std::string& path,
               const std::vector<std::string>& subprotocols,
               std::function<void(const std::string& reason)> done);

  void receive(std::function<void(std::optional<std::string_view>)> done) override;
  bool is_text() const override { return socket_.got_text(); }
  void send(std::string message, std::function<void(Sent)> done) override;
  void send_text(std::string message, std::function<void(Sent)> done) override;
  CloseReason close_reason() const override;
  void close(CloseCode code, const std::string& reason) override;
  void disconnect() override;
  boost::asio::any_io_executor executor() override { return stream_->get_executor(); }

 private:
  void prepare();
  void write(std::string message, std::function<void(Sent)> done);
  void watch_stall();

  std::unique_ptr<ByteStream> stream_;
  Limits limits_;
  boost::beast::websocket::stream<ByteStream&> socket_;
  boost::asio::steady_timer stall_timer_;
  boost::beast::flat_buffer received_ = {};
  std::string sending_ = {};
  std::uint64_t sent_ = 0;  // messages
  bool is_stalled_ = false;
  bool is_closing_ = false;
  std::function<void()> on_end_ = [] {};
};

/// An upgrade whose WebSocket is a Stream: sends its texts, drops what it receives.
WebSocketUpgrade stream_upgrade(ServerState& state,
                                std::function<void(std::shared_ptr<Stream>)> on_open);

}  // namespace nucleus::core::http

#include "core/http/websocket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "core/http/websocket_connection.hpp"

namespace nucleus::core::http {

namespace websocket = boost::beast::websocket;
using BeastError = boost::beast::error_code;

std::vector<std::string> parse_subprotocols(std::string_view header) {
  constexpr std::string_view blanks = " \t";
  std::vector<std::string> offered;
  while (!header.empty()) {
    const auto comma = std::min(header.find(','), header.size());
    auto name = header.substr(0, comma);
    name.remove_prefix(std::min(name.find_first_not_of(blanks), name.size()));
    name = name.substr(0, name.find_last_not_of(blanks) + 1);
    if (!name.empty()) offered.emplace_back(name);
    header.remove_prefix(std::min(comma + 1, header.size()));
  }
  return offered;
}

WebSocketConnection::WebSocketConnection(std::unique_ptr<ByteStream> stream, Limits limits)
    : stream_{std::move(stream)},
      limits_{limits},
      socket_{*stream_},
      stall_timer_{stream_->get_executor()} {}

WebSocketConnection::~WebSocketConnection() {
  on_end_();
}

void WebSocketConnection::prepare() {
  stream_->next_layer().expires_never();
  socket_.set_option(websocket::stream_base::timeout{
      .handshake_timeout = std::chrono::seconds(limits_.handshake_s),
      .idle_timeout = std::chrono::seconds(limits_.idle_s),
      .keep_alive_pings = true});
  socket_.read_message_max(limits_.message_bytes_max);
  socket_.binary(limits_.is_binary);
}

void WebSocketConnection::accept(UpgradeRequest request, const std::string& subprotocol,
                                 std::function<void(std::shared_ptr<WebSocket>)> on_open) {
  prepare();
  if (!subprotocol.empty())
    socket_.set_option(
        websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
          response.set(boost::beast::http::field::sec_websocket_protocol, subprotocol);
        }));
  auto kept = std::make_shared<UpgradeRequest>(std::move(request));
  socket_.async_accept(
      *kept, [self = shared_from_this(), kept, on_open = std::move(on_open)](BeastError error) {
        if (error) return self->disconnect();
        on_open(self);
      });
}

void WebSocketConnection::connect(const std::string& host, const std::string& path,
                                  const std::vector<std::string>& subprotocols,
                                  std::function<void(const std::string& reason)> done) {
  prepare();
  socket_.set_option(websocket::stream_base::decorator(
      [offered =
           fmt::format("{}", fmt::join(subprotocols, ", "))](websocket::request_type& request) {
        request.set(boost::beast::http::field::sec_websocket_protocol, offered);
      }));
  auto response = std::make_shared<websocket::response_type>();
  socket_.async_handshake(
      *response, host, path,
      [self = shared_from_this(), response, done = std::move(done)](BeastError error) {
        if (!error) return done({});
        const bool is_refused = error == websocket::error::upgrade_declined;
        done(is_refused ? "refused with status " + std::to_string(response->result_int())
                        : error.message());
      });
}

void WebSocketConnection::receive(std::function<void(std::optional<std::string_view>)> done) {
  received_.clear();
  socket_.async_read(received_, [self = shared_from_this(), done = std::move(done)](
                                    BeastError error, std::size_t) {
    if (error) {
      self->disconnect();
      return done(std::nullopt);
    }
    const auto bytes = self->received_.data();
    done(std::string_view(static_cast<const char*>(bytes.data()), bytes.size()));
  });
}

void WebSocketConnection::send(std::string message, std::function<void(Sent)> done) {
  socket_.binary(limits_.is_binary);
  write(std::move(message), std::move(done));
}

void WebSocketConnection::send_text(std::string message, std::function<void(Sent)> done) {
  socket_.text(true);
  write(std::move(message), std::move(done));
}

void WebSocketConnection::write(std::string message, std::function<void(Sent)> done) {
  sending_ = std::move(message);
  watch_stall();
  socket_.async_write(
      boost::asio::buffer(sending_),
      [self = shared_from_this(), done = std::move(done)](BeastError error, std::size_t) {
        self->stall_timer_.cancel();
        ++self->sent_;
        if (!error) return done(Sent::done);
        self->disconnect();
        done(self->is_stalled_ ? Sent::stalled : Sent::disconnected);
      });
}

void WebSocketConnection::watch_stall() {
  if (limits_.stall_s == 0) return;
  stall_timer_.expires_after(std::chrono::seconds(limits_.stall_s));
  stall_timer_.async_wait([weak = weak_from_this(), message = sent_](BeastError cancelled) {
    const auto self = weak.lock();
    // A wait whose handler is queued cannot be cancelled: it may be that of an earlier message.
    if (cancelled || !self || self->sent_ != message) return;
    self->is_stalled_ = true;
    self->disconnect();
  });
}

CloseReason WebSocketConnection::close_reason() const {
  const auto& reason = socket_.reason();
  return {.code = reason.code, .text = std::string(reason.reason.data(), reason.reason.size())};
}

void WebSocketConnection::close(CloseCode code, const std::string& reason) {
  if (std::exchange(is_closing_, true)) return;  // Beast allows one close at a time
  if (!socket_.is_open()) return disconnect();   // 101 may be being written
  websocket::close_reason told{static_cast<std::uint16_t>(code)};
  told.reason = reason.substr(0, told.reason.max_size());
  socket_.async_close(told, [self = shared_from_this()](BeastError) {});
}

void WebSocketConnection::disconnect() {
  stream_->close();
}

namespace {

/// Sends a StreamQueue over a WebSocket, one text a message.
class QueuePump : public std::enable_shared_from_this<QueuePump> {
 public:
  QueuePump(std::shared_ptr<WebSocket> websocket, std::size_t bytes_max)
      : websocket_{std::move(websocket)}, queue_{std::make_shared<StreamQueue>(bytes_max)} {}
  ~QueuePump() { queue_->close(); }
  QueuePump(const QueuePump&) = delete;
  QueuePump& operator=(const QueuePump&) = delete;

  /// Lives as long as the WebSocket is read from.
  std::shared_ptr<Stream> open(std::shared_ptr<Mailbox> mailbox) {
    queue_->open();
    receive();
    const auto on_self = [weak = weak_from_this()](void (QueuePump::*action)()) {
      return [weak, action] {
        if (const auto self = weak.lock()) (*self.*action)();
      };
    };
    return std::make_shared<QueuedStream>(queue_, std::move(mailbox), on_self(&QueuePump::write),
                                          on_self(&QueuePump::disconnect));
  }

 private:
  void receive() {
    websocket_->receive([self = shared_from_this()](std::optional<std::string_view> message) {
      if (!message) return self->queue_->close();
      self->receive();
    });
  }
  void write() {
    std::string text = queue_->first();
    if (text.empty()) return;
    const auto bytes = text.size();
    websocket_->send(std::move(text), [self = shared_from_this(), bytes](WebSocket::Sent sent) {
      if (sent != WebSocket::Sent::done) return self->queue_->close();
      if (self->queue_->pop(bytes)) self->write();
    });
  }
  void disconnect() { websocket_->disconnect(); }

  std::shared_ptr<WebSocket> websocket_;
  std::shared_ptr<StreamQueue> queue_;
};

}  // namespace

WebSocketUpgrade stream_upgrade(ServerState& state,
                                std::function<void(std::shared_ptr<Stream>)> on_open) {
  return {.on_open = [&state, on_open = std::move(on_open)](std::shared_ptr<WebSocket> websocket) {
    const auto pump =
        std::make_shared<QueuePump>(std::move(websocket), state.options.stream_bytes_max);
    on_open(pump->open(state.mailbox));
  }};
}

}  // namespace nucleus::core::http

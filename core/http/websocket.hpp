// An open WebSocket, of a server or a client, as the code above core/http sees it. Both directions
// are pulled: a message is read when `receive` asks for it, and the next one is sent when `done`
// has reported the last, so each side runs at the pace of the other. Used on its executor's thread.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nucleus::core::http {

/// RFC 6455, section 7.4.1.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  policy_violation = 1008,
  internal_error = 1011,
  try_again_later = 1013
};

/// The subprotocols that a client offers, in order: the value of Sec-WebSocket-Protocol.
std::vector<std::string> parse_subprotocols(std::string_view header);

/// Why the other side ended a WebSocket. Code 0: it sent no reason, or the connection broke.
struct CloseReason {
  std::uint16_t code = 0;
  std::string text = {};
};

class WebSocket {
 public:
  /// `stalled`: the other side did not take the message within `stall_s`, and was disconnected.
  enum class Sent { done, stalled, disconnected };

  virtual ~WebSocket() = default;
  /// Reads one message; nothing = the WebSocket has ended, see close_reason(). The view is valid
  /// until the next call.
  virtual void receive(std::function<void(std::optional<std::string_view>)> done) = 0;
  /// Whether the message received last is a text.
  virtual bool is_text() const = 0;
  /// Sends one message. Not again before `done`.
  virtual void send(std::string message, std::function<void(Sent)> done) = 0;
  /// The same, as a text, which must be UTF-8.
  virtual void send_text(std::string message, std::function<void(Sent)> done) = 0;
  /// What the other side said when it closed the WebSocket; untrusted.
  virtual CloseReason close_reason() const = 0;
  /// Performs the closing handshake; `reason` is shown to the other side (123 bytes at most). Only
  /// the first call has an effect.
  virtual void close(CloseCode code, const std::string& reason) = 0;
  /// Disconnects without a handshake.
  virtual void disconnect() = 0;
  /// Runs what belongs to it on its thread.
  virtual boost::asio::any_io_executor executor() = 0;
};

}  // namespace nucleus::core::http

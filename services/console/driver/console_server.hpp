// Joins viewers' WebSockets to consoles' unix sockets; Boost.Beast stops here. It has a thread of
// its own. A viewer says its ticket as a subprotocol: `nucleus.console, nucleus.ticket.TICKET`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/tls/certificate.hpp"
#include "messages/console.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

/// What a viewer must offer beside its ticket, and is answered.
constexpr std::string_view subprotocol = "nucleus.console";

struct ConsoleServerOptions {
  std::string listen = "127.0.0.1:0";  // ADDRESS:PORT; port 0 = any free one
  std::size_t connections_max = 1'000;
  std::size_t frame_bytes_max = 64 * 1024;   // from a viewer
  std::size_t replay_bytes_max = 64 * 1024;  // of what a serial console printed before
  std::int64_t idle_s = 60;   // a viewer that says nothing, not even to a ping, is let go
  std::int64_t stall_s = 20;  // a viewer that takes no bytes for so long is cut off
  std::shared_ptr<core::Certificate> certificate = {};  // null = plain
};

/// A console that a ticket opens.
struct Console {
  msg::NodeId node_id = {};
  msg::ConsoleKind kind = msg::ConsoleKind::unknown;
  std::string socket_path = {};
  std::string log_path = {};
};

class ConsoleServer {
 public:
  /// Uses a ticket up; answers from any thread. `forbidden`: it opens nothing.
  using TakeTicket =
      std::function<void(const std::string& ticket, std::function<void(core::Result<Console>)>)>;

  /// Throws where the address cannot be bound.
  ConsoleServer(ConsoleServerOptions options, Metrics& metrics, TakeTicket take_ticket);
  /// Tells every viewer, and ends within half a second; nothing is called after this.
  ~ConsoleServer();
  ConsoleServer(const ConsoleServer&) = delete;
  ConsoleServer& operator=(const ConsoleServer&) = delete;

  /// ADDRESS:PORT where it listens.
  const std::string& address() const;

 private:
  struct Server;
  std::shared_ptr<Server> server_;
};

/// Whether it is ADDRESS:PORT with an address in digits; IPv6 in brackets.
bool is_listen_address(const std::string& listen);

/// The ticket in Sec-WebSocket-Protocol; empty where there is none, or no `nucleus.console`.
std::string ticket_in(std::string_view protocols);

}  // namespace nucleus::console

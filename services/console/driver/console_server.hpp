// Joins viewers' WebSockets to consoles' unix sockets; Boost.Beast stops here. It has a thread of
// its own. A viewer says its ticket as a subprotocol: `nucleus.console, nucleus.ticket.TICKET`.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "messages/console.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

struct ConsoleServerOptions {
  std::string listen = "127.0.0.1:0";  // ADDRESS:PORT; port 0 = any free one
  std::size_t connections_max = 1'000;
  std::size_t frame_bytes_max = 64 * 1024;   // from a viewer
  std::size_t replay_bytes_max = 64 * 1024;  // of what a serial console printed before
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
  /// Ends all sessions.
  ~ConsoleServer();
  ConsoleServer(const ConsoleServer&) = delete;
  ConsoleServer& operator=(const ConsoleServer&) = delete;

  std::string address() const;

 private:
  struct Server;
  std::shared_ptr<Server> server_;
};

/// The ticket in a Sec-WebSocket-Protocol header; empty where there is none.
std::string ticket_in(std::string_view protocols);

}  // namespace nucleus::console

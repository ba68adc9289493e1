// Connects viewers' WebSockets with consoles' unix sockets. Everything but the constructor and the
// destructor runs on the HTTP server's thread. A viewer passes its ticket as a subprotocol:
// `nucleus.console, nucleus.ticket.TICKET`.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/http/server.hpp"
#include "core/result.hpp"
#include "messages/console.hpp"
#include "services/console/metrics.hpp"
#include "services/console/session_right.hpp"

namespace nucleus::console {

/// A viewer must offer it beside its ticket; it is the one selected.
constexpr std::string_view subprotocol = "nucleus.console";

struct ConsoleProxyOptions {
  core::http::ServerOptions http = {.connections_max = 1'000,
                                    .connections_per_address_max = 200,
                                    .head_bytes_max = 8192,
                                    .stop_reason = "the console service stops"};
  std::size_t message_bytes_max = 64 * 1024;  // from a viewer
  std::size_t replay_bytes_max = 64 * 1024;   // of a serial console's log
  int stall_s = 20;  // a viewer that takes no bytes for this long is disconnected
};

/// A console that a ticket opens.
struct Console {
  msg::NodeId node_id = {};
  msg::ConsoleKind kind = msg::ConsoleKind::unknown;
  std::string socket_path = {};
  std::string log_path = {};
  std::shared_ptr<SessionRight> right = std::make_shared<SessionRight>();
};

class Session;

class ConsoleProxy {
 public:
  /// Uses a ticket up; `done` may be called on any thread. `forbidden`: the ticket opens nothing.
  using TakeTicket = std::function<void(const std::string& ticket,
                                        std::function<void(core::Result<Console>)> done)>;

  /// Throws std::runtime_error if the endpoint cannot be bound.
  ConsoleProxy(ConsoleProxyOptions options, Metrics& metrics, TakeTicket take_ticket);
  /// Closes every session with its reason, within half a second.
  ~ConsoleProxy();
  ConsoleProxy(const ConsoleProxy&) = delete;
  ConsoleProxy& operator=(const ConsoleProxy&) = delete;

  core::Endpoint endpoint() const { return server_->endpoint(); }

 private:
  friend class Session;
  void handle(const core::http::Request& request, const core::http::Respond& respond);
  core::http::Response open_console(const Console& console);

  ConsoleProxyOptions options_;
  Metrics& metrics_;
  TakeTicket take_ticket_;
  // QEMU serves one client of a serial console: the newest viewer has it. By the socket's path.
  std::map<std::string, std::weak_ptr<Session>> serial_owners_ = {};
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the others
};

/// The ticket in Sec-WebSocket-Protocol; empty if it or `nucleus.console` is missing.
std::string ticket_in(std::string_view subprotocols);

}  // namespace nucleus::console

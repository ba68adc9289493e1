// Connects viewers' WebSockets with the hosts' streams of consoles. A viewer passes its ticket as a
// subprotocol, `nucleus.console, nucleus.ticket.TICKET`, and a host the token that it was given,
// `nucleus.stream, nucleus.ticket.TOKEN`. Where a viewer begins is in the query of its URL.
// Everything but the constructor and the destructor runs on the HTTP server's thread.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "core/http/server.hpp"
#include "core/result.hpp"
#include "services/console/driver/console.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

/// A viewer must offer it beside its ticket; it is the one selected.
constexpr std::string_view viewer_subprotocol = "nucleus.console";
/// Offered and selected instead by a viewer that reads text messages.
constexpr std::string_view announced_subprotocol = "nucleus.console.v2";
/// The same for a host.
constexpr std::string_view host_subprotocol = "nucleus.stream";

struct ConsoleProxyOptions {
  core::http::ServerOptions http = {.also_listen = {{}},  // for hosts
                                    .connections_max = 1'000,
                                    .connections_per_address_max = 200,
                                    .head_bytes_max = 8192,
                                    .stop_reason = "the console service stops"};
  std::size_t message_bytes_max = 64 * 1024;  // from a viewer or a host
  int host_connect_s = 10;
  int host_reconnect_s = 60;  // a stream that broke, and that its host does not open again, ends
  int stall_s = 20;           // a viewer that takes no bytes for this long is disconnected

  core::http::ListenOptions& for_hosts() { return http.also_listen.front(); }
};

class HostStream;
class Recorder;
class Session;

/// What the proxy asks the service for; each `done` may be called on any thread, once.
struct ConsoleProxyCalls {
  /// Uses a ticket up. `forbidden`: it opens nothing.
  std::function<void(const std::string& ticket, const std::string& origin,
                     std::function<void(core::Result<Console>)> done)>
      take_ticket = {};
  /// Has a console's host connect.
  std::function<void(const msg::HostId& host_id, const msg::StreamConsole& request,
                     std::function<void(core::Result<void>)> done)>
      ask_host = {};
  /// A session's role has changed, or its person has typed for the first time.
  std::function<void(const std::string& session_id, bool is_writer, bool has_typed)> report = {};
};

class ConsoleProxy {
 public:
  /// Throws std::runtime_error if an endpoint cannot be bound. Without a recorder, which must
  /// outlive the proxy, nothing is recorded.
  ConsoleProxy(ConsoleProxyOptions options, Metrics& metrics, Recorder* recorder,
               ConsoleProxyCalls calls);
  /// Closes every session with its reason, within half a second.
  ~ConsoleProxy();
  ConsoleProxy(const ConsoleProxy&) = delete;
  ConsoleProxy& operator=(const ConsoleProxy&) = delete;

  /// Whether serial consoles of the project are recorded, from now on. Any thread.
  void set_recorded(const msg::ProjectId& project, bool is_recorded);

  core::Endpoint endpoint() const { return server_->endpoint(0); }
  core::Endpoint endpoint_for_hosts() const { return server_->endpoint(1); }

 private:
  void handle(const core::http::Request& request, const core::http::Respond& respond);
  void handle_viewer(const core::http::Request& request, const core::http::Respond& respond);
  void handle_host(const core::http::Request& request, const core::http::Respond& respond);
  core::http::Response open_console(const Console& console);
  std::shared_ptr<Session> make_session(const Console& console,
                                        std::shared_ptr<core::http::WebSocket> viewer);
  std::shared_ptr<HostStream> stream_of(const Console& console,
                                        const boost::asio::any_io_executor& executor);
  std::shared_ptr<HostStream> begin_stream(const Console& console,
                                           const boost::asio::any_io_executor& executor);
  void apply_policy(HostStream& stream);
  void ask_host(const std::shared_ptr<HostStream>& stream,
                const boost::asio::any_io_executor& executor);

  ConsoleProxyOptions options_;
  Metrics& metrics_;
  Recorder* recorder_;
  ConsoleProxyCalls calls_;
  std::set<std::string> recorded_projects_ = {};
  std::uint64_t sessions_ = 0;                                            // begun
  std::map<std::string, std::weak_ptr<HostStream>> serial_streams_ = {};  // HOST/NODE/EPOCH
  std::map<std::string, std::weak_ptr<HostStream>> awaited_ = {};         // by the token's SHA-256
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the others
};

/// The query of a viewer's URL: `from=OFFSET` (negative: before the end; `end`), `log=ID`,
/// `mode=read`. `invalid_argument`: the parameter that is none of these.
core::Result<Attachment> parse_attachment(const core::http::Request& request);

/// The ticket or token in Sec-WebSocket-Protocol; empty if it or `subprotocol` is missing.
std::string ticket_in(std::string_view subprotocols, std::string_view subprotocol);

}  // namespace nucleus::console

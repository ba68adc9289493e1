// The HTTP server of every process: accepts connections, enforces limits and timeouts, speaks TLS
// and WebSocket. Boost.Beast is not visible above it. It has one thread; handlers are called there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/config/endpoint.hpp"
#include "core/http/http.hpp"
#include "core/tls/certificate.hpp"

namespace nucleus::core::http {

/// Looks up a response by the SHA-256 of a GET's head; null = not cached. Called on the server's
/// thread.
using CacheLookup = std::function<PreparedResponsePtr(const Sha256& head)>;
/// The response to a request that the server itself refuses. `path` is empty if it is not known.
using RenderError =
    std::function<Response(int status, const std::string& detail, const std::string& path)>;

struct ListenOptions {
  Endpoint endpoint = {};
  std::shared_ptr<Certificate> certificate = {};  // null = plain HTTP
  /// A stream socket that listens already, such as a Unix one, in place of `endpoint`; the server
  /// closes it. Its clients count as one address.
  int descriptor = -1;
};

struct ServerOptions {
  ListenOptions listen = {};
  std::vector<ListenOptions> also_listen = {};      // Request::listener is 1 for the first of these
  std::size_t connections_max = 10'000;             // of a listener; more are answered 503
  std::size_t connections_per_address_max = 1'000;  // of one IPv4 address or IPv6 /64
  std::size_t head_bytes_max = 16 * 1024;
  std::uint64_t body_bytes_max = 1 << 20;
  std::size_t bodies_bytes_max = 128 << 20;             // of all clients' bodies in memory
  std::size_t bodies_bytes_per_address_max = 32 << 20;  // of one IPv4 address or IPv6 /64
  std::size_t stream_bytes_max = 4 << 20;       // queued for a slow reader, who is then cut off
  int idle_s = 60;                              // for the next request, or the rest of one
  int head_s = 10;                              // for the rest of a head, and for a TLS handshake
  std::uint64_t upload_bytes_per_s_min = 1024;  // averaged over `idle_s`
  CacheLookup cache_lookup = {};                // empty = no cache
  std::string request_id_prefix = {};  // of X-Request-Id of cached responses: 16 hex digits
  RenderError render_error = {};       // empty = plain text
  std::string stop_reason = "the server is stopping";  // sent to open WebSockets
};

class Server {
 public:
  /// `context` is that of the request's BodyPlan, else null.
  using Handler = std::function<void(Request, std::shared_ptr<void> context, Respond)>;
  /// From the head alone: whether `plan_body` decides about the body.
  using NeedsPlan = std::function<bool(const Request&)>;
  /// Decides about a body, or refuses the request; any thread may answer, once.
  using PlanBody =
      std::function<void(const Request&, std::function<void(std::variant<BodyPlan, Response>)>)>;

  /// Binds the endpoints; throws std::runtime_error if that fails.
  Server(ServerOptions options, Handler handler, NeedsPlan needs_plan = {},
         PlanBody plan_body = {});
  /// Closes WebSockets with `stop_reason` (waits 500 ms at most) and all other connections; nothing
  /// is called afterwards.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Starts to accept connections. Once.
  void start();
  /// Where it listens, with the port that was bound; `listener` as in Request.
  Endpoint endpoint(std::size_t listener = 0) const;
  /// Calls `action` on the server's thread after `delay`. Call on that thread.
  void after(std::chrono::milliseconds delay, std::function<void()> action);
  /// Calls `action` on the server's thread, in the order posted. Any thread.
  void post(std::function<void()> action);

 private:
  struct Listener;
  std::unique_ptr<Listener> listener_;
};

}  // namespace nucleus::core::http

// The HTTP server: connections, limits, deadlines; Boost.Beast stops here. It has threads of its
// own, and hands each request on.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "core/result.hpp"
#include "core/tls/certificate.hpp"
#include "gateway/http.hpp"

namespace nucleus::gateway {

/// What is remembered of a request with this head: its answer, and no handler is asked. Called on
/// the server's thread.
using Recall = std::function<ReadyAnswerPtr(const core::Sha256& head)>;

struct HttpServerOptions {
  std::string listen = "127.0.0.1:0";  // ADDRESS:PORT; port 0 = any free one
  std::size_t connections_max = 10'000;
  std::size_t header_bytes_max = 16 * 1024;
  std::uint64_t body_bytes_max = 1 << 20;
  std::size_t stream_bytes_max = 4 << 20;       // waiting for a slow reader, then it is cut off
  int idle_s = 60;                              // for the next request, or the rest of one
  int header_s = 10;                            // for the head, once it has begun; for TLS to begin
  std::uint64_t upload_bytes_per_s_min = 1024;  // each `idle_s` brings so many times that
  Recall recall = {};                           // empty = nothing is remembered
  std::string id_prefix = {};                   // of request ids of answers from memory: 16 hex
  std::shared_ptr<core::Certificate> certificate = {};  // null = plain HTTP
};

class HttpServer {
 public:
  using Handle = std::function<void(HttpRequest, std::shared_ptr<void> kept, Respond)>;
  /// Plans a body that may be large; answers at once where the request is refused.
  using Plan = std::function<void(const HttpRequest&,
                                  std::function<void(std::variant<BodyPlan, HttpResponse>)>)>;

  /// `is_upload` says, from the head alone, whether `plan` is to be asked. Throws where the address
  /// cannot be bound.
  HttpServer(HttpServerOptions options, Handle handle,
             std::function<bool(const HttpRequest&)> is_upload, Plan plan);
  /// Ends all connections; no handler is called after this.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// ADDRESS:PORT where it listens.
  std::string address() const;

 private:
  struct Server;
  std::shared_ptr<Server> server_;
};

/// The parts of a request's target; false where it is malformed.
bool parse_target(const std::string& target, HttpRequest& request);

}  // namespace nucleus::gateway

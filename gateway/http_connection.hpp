// One connection of the HTTP server: requests read one after another, answers written. Private to
// the server.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <memory>

#include "core/tls/wire.hpp"
#include "gateway/http_server.hpp"

namespace nucleus::gateway {

/// What all connections of one server share.
struct HttpServing {
  HttpServerOptions options;
  HttpServer::Handle handle;
  std::function<bool(const HttpRequest&)> is_upload;
  HttpServer::Plan plan;
  boost::asio::io_context context{1};
  std::atomic<std::size_t> connections = 0;
  std::uint64_t answers_ready = 0;  // sent so far; makes each one's id; of the server's thread
};

/// Serves it until it ends; it counts among `connections` as long as it is there.
void begin_connection(std::shared_ptr<HttpServing> server, boost::asio::ip::tcp::socket socket);

}  // namespace nucleus::gateway

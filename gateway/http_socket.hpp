// An answer that became a WebSocket: each text sent is one message; what the client says but its
// pongs and its end is read and dropped. Private to the server.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <functional>
#include <memory>

#include "gateway/http_connection.hpp"

namespace nucleus::gateway {

struct HttpSocketParts {
  std::unique_ptr<core::Wire> wire = {};
  std::shared_ptr<void> seat = {};
  boost::beast::http::request<boost::beast::http::empty_body> request = {};
  std::function<void(std::shared_ptr<HttpStream>)> on_open = {};
};

/// Answers 101, then calls `on_open`. A client that answers no ping within `idle_s` is let go, and
/// one that reads too slowly is cut off.
void open_http_socket(std::shared_ptr<HttpServing> server, HttpSocketParts parts);

}  // namespace nucleus::gateway

// Opens a WebSocket as a client, with TLS or without.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/endpoint.hpp"
#include "core/http/websocket.hpp"
#include "core/result.hpp"
#include "core/tls/trust.hpp"

namespace nucleus::core::http {

struct WebSocketTarget {
  Endpoint endpoint = {};
  std::string host = {};  // a name or an address, instead of the endpoint's address; is resolved
  std::shared_ptr<Trust> trust = {};  // verifies the server's certificate; null = no TLS
  std::string path = {};
  std::vector<std::string> subprotocols = {};  // offered
  std::size_t message_bytes_max = 64 * 1024;   // received
  int timeout_s = 10;                          // of each: connection, TLS handshake, upgrade
  int stall_s = 0;  // a message must be written within this; 0 = no limit
  int idle_s = 60;
};

/// Sends binary messages. `done` is called once, on the executor's thread; `unavailable` says at
/// which step it failed.
void open_websocket(boost::asio::any_io_executor executor, WebSocketTarget target,
                    std::function<void(Result<std::shared_ptr<WebSocket>>)> done);

}  // namespace nucleus::core::http

// URLs, read and escaped by libcurl.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace nucleus::client {

/// The URL of a server without slashes at the end and with its scheme in lower case.
/// `invalid_argument`: not http or https, no host, or a user, query or fragment in it.
core::Result<std::string> parse_base_url(const std::string& text);

/// SCHEME://HOST:PORT of a URL, with the scheme's default port if it names none; empty if it is
/// not a URL. Credentials belong to one origin.
std::string origin_of(const std::string& url);

/// The parts of a URL of a WebSocket.
struct WebSocketUrl {
  bool is_secure = false;  // wss
  std::string host = {};   // without the brackets of an IPv6 address
  std::uint16_t port = 0;
  std::string path = {};  // with the query
};

/// `invalid_argument`: not a ws or wss URL, or it names a user.
core::Result<WebSocketUrl> parse_websocket_url(const std::string& text);

/// A segment of a path or a value of a query, percent-encoded.
std::string encoded(const std::string& text);

}  // namespace nucleus::client

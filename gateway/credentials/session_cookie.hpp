// The cookie that holds a session of the portal: a token of the registry, like any other. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/http/http.hpp"

namespace nucleus::gateway {

/// Where a request came in.
struct SessionPlace {
  const core::http::Request& request;
  const std::string& base_url;  // of the gateway, as the client reached it
};

/// The token of a /v2 request that has the session's cookie and no Authorization; empty if it has
/// none.
std::string session_token(const SessionPlace& place);

/// True if a page of the gateway itself made the request: its Origin is the gateway's. Browsers
/// send Origin with every request that changes something, and with every WebSocket.
bool is_from_own_page(const SessionPlace& place);

/// True for a request that must be from a page of the gateway to be admitted with a cookie.
bool needs_own_page(const core::http::Request& request);

/// The value of Set-Cookie. Script cannot read it, other sites cannot cause it to be sent, and it
/// is sent over TLS only if `base_url` is https.
std::string session_cookie(const std::string& token, std::int64_t age_s,
                           const std::string& base_url);
/// The value of Set-Cookie that removes it.
std::string no_session_cookie(const std::string& base_url);

}  // namespace nucleus::gateway

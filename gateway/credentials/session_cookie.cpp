#include "gateway/credentials/session_cookie.hpp"

#include <algorithm>

#include "gateway/routing/origin.hpp"
#include "gateway/routing/router.hpp"

namespace nucleus::gateway {

namespace {

bool is_secure(const std::string& base_url) {
  return base_url.starts_with("https://");
}

/// Browsers accept the prefix __Host- only of this host itself, over TLS: no other host of the
/// domain can set the cookie.
std::string cookie_name(const std::string& base_url) {
  return is_secure(base_url) ? "__Host-nucleus-session" : "nucleus-session";
}

}  // namespace

std::string session_token(const SessionPlace& place) {
  const auto segments = segments_of(place.request.path);
  if (segments.empty() || segments.front() != "v2") return {};
  if (place.request.headers.contains("Authorization")) return {};
  const std::string cookies = place.request.header("Cookie");
  const std::string name = cookie_name(place.base_url) + "=";
  for (std::size_t begin = 0; begin < cookies.size();) {
    const auto end = std::min(cookies.find(';', begin), cookies.size());
    if (cookies.compare(begin, name.size(), name) == 0)
      return cookies.substr(begin + name.size(), end - begin - name.size());
    begin = cookies.find_first_not_of(' ', end + 1);
  }
  return {};
}

bool is_from_own_page(const SessionPlace& place) {
  return place.request.header("Origin") == origin_of(place.base_url);
}

bool needs_own_page(const core::http::Request& request) {
  return request.method != "GET" || request.is_upgrade;
}

std::string session_cookie(const std::string& token, std::int64_t age_s,
                           const std::string& base_url) {
  return cookie_name(base_url) + "=" + token + "; Max-Age=" + std::to_string(age_s) +
         "; Path=/; HttpOnly; SameSite=Strict" + (is_secure(base_url) ? "; Secure" : "");
}

std::string no_session_cookie(const std::string& base_url) {
  return session_cookie("", 0, base_url);
}

}  // namespace nucleus::gateway

#include "client/http/url.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace nucleus::client {

namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
using Text = std::unique_ptr<char, decltype(&curl_free)>;

Handle read_url(const std::string& text, unsigned flags) {
  Handle handle(curl_url(), curl_url_cleanup);
  if (handle && curl_url_set(handle.get(), CURLUPART_URL, text.c_str(), flags) != CURLUE_OK)
    handle.reset();
  return handle;
}

/// A part of the URL; empty if it has none.
std::string part_of(CURLU* handle, CURLUPart part, unsigned flags = 0) {
  char* raw = nullptr;
  if (curl_url_get(handle, part, &raw, flags) != CURLUE_OK) return {};
  return Text(raw, curl_free).get();
}

}  // namespace

core::Result<std::string> parse_base_url(const std::string& text) {
  const auto handle = read_url(text, CURLU_DISALLOW_USER);
  const auto part = [&](CURLUPart which) { return part_of(handle.get(), which); };
  const bool is_base = handle &&
                       (part(CURLUPART_SCHEME) == "http" || part(CURLUPART_SCHEME) == "https") &&
                       part(CURLUPART_QUERY).empty() && part(CURLUPART_FRAGMENT).empty();
  if (!is_base)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "not an http or https URL of a server: " + msg::shown(text), "url");
  std::string url = part(CURLUPART_URL);
  while (url.ends_with('/')) url.pop_back();
  return url;
}

core::Result<WebSocketUrl> parse_websocket_url(const std::string& text) {
  constexpr int port_plain = 80;
  constexpr int port_secure = 443;
  const auto handle = read_url(text, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
  const auto part = [&](CURLUPart which) { return part_of(handle.get(), which); };
  WebSocketUrl url;
  if (handle) url.host = part(CURLUPART_HOST);
  const std::string scheme = handle ? part(CURLUPART_SCHEME) : "";
  if (url.host.empty() || (scheme != "ws" && scheme != "wss"))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "not a ws or wss URL: " + msg::shown(text));
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  url.is_secure = scheme == "wss";
  const std::string port = part(CURLUPART_PORT);  // libcurl has checked its range
  const int fallback = url.is_secure ? port_secure : port_plain;
  url.port = static_cast<std::uint16_t>(port.empty() ? fallback : std::stoi(port));
  const std::string query = part(CURLUPART_QUERY);
  url.path = part(CURLUPART_PATH) + (query.empty() ? "" : "?" + query);
  return url;
}

std::string origin_of(const std::string& url) {
  const auto handle = read_url(url, 0);
  if (!handle) return {};
  std::string origin = part_of(handle.get(), CURLUPART_SCHEME) + "://" +
                       part_of(handle.get(), CURLUPART_HOST) + ":" +
                       part_of(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::ranges::transform(origin, origin.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return origin;
}

std::string encoded(const std::string& text) {
  // libcurl takes a length of 0 for "measure it".
  if (text.empty()) return {};
  const Text escaped(curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())),
                     curl_free);
  return escaped ? escaped.get() : std::string();
}

}  // namespace nucleus::client

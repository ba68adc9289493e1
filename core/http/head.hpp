// Finds the end of a request's head, and refuses bytes that a proxy between the client and this
// server could interpret differently (request smuggling). Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace nucleus::core::http {

struct HeadScan {
  bool is_complete = false;
  std::size_t size = 0;    // of a complete head, with its empty line
  const char* error = "";  // if not empty, the request is malformed
};

/// Scans what was received so far; the first `from` bytes were scanned before.
inline HeadScan scan_head(std::string_view bytes, std::size_t from) {
  for (std::size_t i = from; i < bytes.size(); ++i) {
    const char before = i == 0 ? '\0' : bytes[i - 1];
    if (bytes[i] == '\0') return {.error = "the head contains NUL"};
    if (bytes[i] == '\n' && before != '\r') return {.error = "a line does not end with CR LF"};
    if (bytes[i] != '\n' && before == '\r') return {.error = "a line contains CR"};
    if ((bytes[i] == ' ' || bytes[i] == '\t') && before == '\n')
      return {.error = "a header is folded"};
    if (bytes[i] == '\n' && i >= 3 && bytes.substr(i - 3, 4) == "\r\n\r\n")
      return {.is_complete = true, .size = i + 1};
  }
  return {};
}

/// Whether the value of Host is a name or an address, with or without a port.
inline bool is_valid_host(std::string_view host) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%";
  return !host.empty() && host.size() <= 255 && host.find_first_not_of(allowed) == host.npos;
}

}  // namespace nucleus::core::http

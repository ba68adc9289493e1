// Where the head of a request ends, and what in it could be read in two ways: pure. Whoever stands
// between a client and us may read it the other way, so such a request is refused.
#pragma once

#include <cstddef>
#include <string_view>

namespace nucleus::gateway {

struct HeadScan {
  bool is_whole = false;   // its end is there
  std::size_t size = 0;    // of a whole one, its last line with it
  const char* fault = "";  // not empty: refused
};

/// Looks at what has come so far, from byte `from` on, which was looked at up to there.
inline HeadScan scan_head(std::string_view bytes, std::size_t from) {
  for (std::size_t i = from; i < bytes.size(); ++i) {
    const char before = i == 0 ? '\0' : bytes[i - 1];
    if (bytes[i] == '\0') return {.fault = "a NUL stands in it"};
    if (bytes[i] == '\n' && before != '\r') return {.fault = "a line does not end in CR LF"};
    if (bytes[i] != '\n' && before == '\r') return {.fault = "a CR stands in a line"};
    if ((bytes[i] == ' ' || bytes[i] == '\t') && before == '\n')
      return {.fault = "a header is folded"};
    if (bytes[i] == '\n' && i >= 3 && bytes.substr(i - 3, 4) == "\r\n\r\n")
      return {.is_whole = true, .size = i + 1};
  }
  return {};
}

/// True for a Host as it may be: a name or an address, and perhaps a port.
inline bool is_host(std::string_view host) {
  constexpr std::string_view safe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%";
  return !host.empty() && host.size() <= 255 && host.find_first_not_of(safe) == host.npos;
}

}  // namespace nucleus::gateway

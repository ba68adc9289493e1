// Where a process listens or connects: ADDRESS:PORT, an IPv6 address in brackets. Addresses are
// numeric; names are not resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nucleus::core {

struct Endpoint {
  std::string address = "127.0.0.1";  // without brackets
  std::uint16_t port = 0;             // 0 = any free one, to listen on
  bool is_ipv6 = false;

  /// ADDRESS:PORT, as `parse_endpoint` reads it.
  std::string text() const;
  bool operator==(const Endpoint&) const = default;
};

/// Nothing unless `text` is `127.0.0.1:8080` or `[::1]:8080`.
std::optional<Endpoint> parse_endpoint(std::string_view text);

}  // namespace nucleus::core

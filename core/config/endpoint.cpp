#include "core/config/endpoint.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace nucleus::core {

namespace {

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

}  // namespace

std::string Endpoint::text() const {
  return (is_ipv6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const auto port_text = text.substr(colon + 1);
  auto host = text.substr(0, colon);
  const bool is_ipv6 = host.starts_with('[') && host.ends_with(']');
  if (is_ipv6) host = host.substr(1, host.size() - 2);
  Endpoint endpoint{.address = std::string(host), .is_ipv6 = is_ipv6};
  const char* const last = port_text.data() + port_text.size();
  const auto [end, error] = std::from_chars(port_text.data(), last, endpoint.port);
  if (error != std::errc{} || end != last) return std::nullopt;
  if (!is_address(is_ipv6 ? AF_INET6 : AF_INET, endpoint.address)) return std::nullopt;
  return endpoint;
}

}  // namespace nucleus::core

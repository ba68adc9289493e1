// The switch port at which Nucleus answers DHCP and DNS of a cluster on this host: its names and
// numbers follow from the cluster's VLAN. Pure.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nucleus::provisioner {

/// PREFIX-s101: no tap has such a name, since they end with six hexadecimal digits.
inline std::string service_device(std::string_view tap_prefix, std::uint16_t vlan) {
  return fmt::format("{}s{}", tap_prefix, vlan);
}

/// The VLAN of a port with such a name.
inline std::optional<std::uint16_t> service_vlan(std::string_view tap_prefix,
                                                 std::string_view port) {
  if (!port.starts_with(tap_prefix)) return std::nullopt;
  port.remove_prefix(tap_prefix.size());
  if (!port.starts_with('s')) return std::nullopt;
  std::uint16_t vlan = 0;
  const char* const end = port.data() + port.size();
  const auto read = std::from_chars(port.data() + 1, end, vlan);
  const bool is_vlan = read.ec == std::errc{} && read.ptr == end && vlan >= 2 && vlan <= 4094;
  return is_vlan ? std::optional(vlan) : std::nullopt;
}

/// Locally administered, and the same on all hosts: a node that moves finds it where it was.
inline std::string service_mac(std::uint16_t vlan) {
  return fmt::format("02:4e:53:00:{:02x}:{:02x}", vlan >> 8, vlan & 255);
}

/// Its number on the switch, so that it has the same flows when it is made again. Those of other
/// ports count up from 1.
inline std::uint32_t service_port_number(std::uint16_t vlan) {
  return 0xe000U + vlan;
}

}  // namespace nucleus::provisioner

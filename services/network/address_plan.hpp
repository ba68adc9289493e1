// Which addresses nodes get: subnets, IPv4 addresses, MACs. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "core/result.hpp"
#include "messages/ipv4.hpp"

namespace nucleus::network {

using msg::Ipv4;
using msg::ipv4_text;
using msg::parse_ipv4;

struct Subnet {
  Ipv4 base = 0;
  std::uint32_t prefix_length = 0;

  std::uint64_t size() const { return std::uint64_t{1} << (32 - prefix_length); }
  bool contains(Ipv4 address) const { return address >= base && address - base < size(); }
  bool operator==(const Subnet&) const = default;
};

/// `172.30.0.0/20`; prefix 8 to 29, no bits set behind it.
core::Result<Subnet> parse_subnet(const std::string& text);
std::string subnet_text(const Subnet& subnet);

/// A cluster's own: 10.0.0.0/24, or wider where it has more than 250 nodes; the same for every
/// cluster.
Subnet private_subnet(std::uint32_t node_count);
/// A node's address in it: .1 is the frontend's (index 0). Nothing where the subnet ends.
std::optional<Ipv4> private_address(const Subnet& subnet, std::uint32_t index);

/// The router of a public subnet: its first address, never leased.
Ipv4 public_gateway(const Subnet& subnet);
/// The lowest that nobody has; nothing where there is none.
std::optional<Ipv4> lowest_free_address(const Subnet& subnet, const std::set<Ipv4>& taken);
/// How many a public subnet has for frontends.
std::uint64_t count_public_addresses(const Subnet& subnet);

constexpr std::uint32_t macs_max = 1 << 24;
/// The last 24 bits of the n-th MAC: others for each of 2^24 numbers, neighbours far apart.
std::uint32_t mac_bits(std::uint64_t number);
/// 52:54:00:xx:xx:xx with these bits.
std::string mac_text(std::uint64_t number);

}  // namespace nucleus::network

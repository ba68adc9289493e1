// Subnets, IPv4 addresses and MACs: which ones nodes get. Pure functions.
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

/// Parses `172.30.0.0/20`. The prefix length must be 8 to 29 and no bit after it may be set.
core::Result<Subnet> parse_subnet(const std::string& text);
std::string subnet_text(const Subnet& subnet);

/// The private subnet of a new cluster of this many nodes: 10.0.0.0/24, /20 or /19. Clusters share
/// these addresses; their VLANs keep them apart.
Subnet private_subnet(std::uint32_t node_count);
/// The next larger private subnet with the same base; nothing after /19, which holds more than the
/// 4,097 nodes that a cluster may have.
std::optional<Subnet> widened(const Subnet& private_subnet);
/// A node's private address: .1 for the frontend (index 0), else .(index+1) if it is in the subnet
/// and free, else the lowest free one. Nothing if the subnet is full.
std::optional<Ipv4> choose_private_address(const Subnet& subnet, std::uint32_t index,
                                           const std::set<Ipv4>& taken);

/// Where Nucleus answers DHCP and DNS in a private subnet: the highest free address, or nothing.
std::optional<Ipv4> choose_service_address(const Subnet& subnet, const std::set<Ipv4>& taken);

/// The router of the public subnet: its first address, never leased.
Ipv4 public_gateway(const Subnet& subnet);
/// The lowest address after the subnet's first one that is not in `taken`, or nothing.
std::optional<Ipv4> lowest_free_address(const Subnet& subnet, const std::set<Ipv4>& taken);
/// The number of addresses for frontends in a public subnet.
std::uint64_t count_public_addresses(const Subnet& subnet);

constexpr std::uint32_t macs_max = 1 << 24;
/// The last 24 bits of the n-th MAC: a permutation of 0..2^24-1 in which neighbours are far apart.
std::uint32_t mac_bits(std::uint64_t number);
/// 52:54:00:xx:xx:xx with these bits.
std::string mac_text(std::uint64_t number);

}  // namespace nucleus::network

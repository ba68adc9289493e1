#include "services/network/address_plan.hpp"

#include <fmt/format.h>

#include <charconv>

namespace nucleus::network {
namespace {

constexpr Ipv4 private_base = 10u << 24;  // 10.0.0.0

constexpr std::uint32_t widest_private_prefix = 19;

/// The number of addresses without the network and the broadcast address.
std::uint64_t usable(const Subnet& subnet) {
  return subnet.size() - 2;
}

}  // namespace

core::Result<Subnet> parse_subnet(const std::string& text) {
  const auto broken = std::unexpected(msg::invalid(
      "subnet", "a subnet is A.B.C.D/N, N from 8 to 29, with no bit set after the prefix"));
  const auto slash = text.find('/');
  if (slash == text.npos) return broken;
  const auto base = parse_ipv4(text.substr(0, slash));
  std::uint32_t prefix_length = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + slash + 1, end, prefix_length);
  if (!base || read.ec != std::errc{} || read.ptr != end) return broken;
  if (prefix_length < 8 || prefix_length > 29) return broken;
  const Subnet subnet{*base, prefix_length};
  if (subnet.base % subnet.size() != 0) return broken;
  return subnet;
}

std::string subnet_text(const Subnet& subnet) {
  return fmt::format("{}/{}", ipv4_text(subnet.base), subnet.prefix_length);
}

Subnet private_subnet(std::uint32_t node_count) {
  if (node_count <= 250) return {private_base, 24};
  // A /20 has 4094 addresses: a frontend with 4096 computes needs one more bit.
  return {private_base, node_count <= 4090 ? 20u : widest_private_prefix};
}

std::optional<Subnet> widened(const Subnet& private_subnet) {
  if (private_subnet.prefix_length <= widest_private_prefix) return std::nullopt;
  return Subnet{private_subnet.base,
                private_subnet.prefix_length > 20 ? 20u : widest_private_prefix};
}

std::optional<Ipv4> choose_private_address(const Subnet& subnet, std::uint32_t index,
                                           const std::set<Ipv4>& taken) {
  if (index < usable(subnet)) {
    const Ipv4 own = subnet.base + 1 + index;
    if (!taken.contains(own)) return own;
  }
  return lowest_free_address(subnet, taken);
}

std::optional<Ipv4> choose_service_address(const Subnet& subnet, const std::set<Ipv4>& taken) {
  // .1 is the frontend's, whether or not it has its ports yet.
  for (auto address = subnet.base + static_cast<Ipv4>(usable(subnet)); address > subnet.base + 1;
       --address)
    if (!taken.contains(address)) return address;
  return std::nullopt;
}

Ipv4 public_gateway(const Subnet& subnet) {
  return subnet.base + 1;
}

std::optional<Ipv4> lowest_free_address(const Subnet& subnet, const std::set<Ipv4>& taken) {
  const Ipv4 last = subnet.base + static_cast<Ipv4>(usable(subnet));
  Ipv4 candidate = subnet.base + 2;
  // `taken` is sorted: the first gap is the lowest free address.
  for (auto next = taken.lower_bound(candidate); next != taken.end() && *next == candidate; ++next)
    ++candidate;
  if (candidate > last) return std::nullopt;
  return candidate;
}

std::uint64_t count_public_addresses(const Subnet& subnet) {
  return usable(subnet) - 1;
}

std::uint32_t mac_bits(std::uint64_t number) {
  // An odd factor is a bijection modulo 2^24.
  return static_cast<std::uint32_t>((number * 0x9E3779u + 0x4E7563u) % macs_max);
}

std::string mac_text(std::uint64_t number) {
  const auto bits = mac_bits(number);
  return fmt::format("52:54:00:{:02x}:{:02x}:{:02x}", bits >> 16, (bits >> 8) & 255, bits & 255);
}

}  // namespace nucleus::network

#include "services/image_store/driver/allowed_addresses.hpp"

#include <algorithm>
#include <array>

#include "messages/common.hpp"

namespace nucleus::image_store {

namespace ip = boost::asio::ip;

namespace {

/// Not reachable from the whole internet: the IANA registry of special-purpose IPv4 addresses
/// (RFC 6890 and its updates), multicast and what is reserved.
constexpr std::array not_public_v4{
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4"};
/// Only 2000::/3 is public, without these: Teredo, documentation, and 6to4, which has an IPv4
/// address in it.
constexpr std::array public_v6{"2000::/3"};
constexpr std::array not_public_v6{"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

template <class Network, class Address>
bool is_in(const Network& network, const Address& address) {
  return Network(address, network.prefix_length()).network() == network.network();
}

template <class Address, class Texts, class Parse>
bool is_in_any(const Texts& networks, const Address& address, Parse parse) {
  return std::ranges::any_of(networks,
                             [&](const char* text) { return is_in(parse(text), address); });
}

bool is_public(const ip::address_v4& address) {
  return !is_in_any(not_public_v4, address,
                    [](const char* text) { return ip::make_network_v4(text); });
}

bool is_public(const ip::address_v6& address) {
  const auto parse = [](const char* text) { return ip::make_network_v6(text); };
  return is_in_any(public_v6, address, parse) && !is_in_any(not_public_v6, address, parse);
}

}  // namespace

core::Result<AllowedAddresses> AllowedAddresses::from(const std::string& networks) {
  AllowedAddresses allowed;
  for (std::size_t at = 0; at < networks.size();) {
    const auto end = std::min(networks.find(',', at), networks.size());
    const auto text = networks.substr(at, end - at);
    at = end + 1;
    boost::system::error_code is_not_v4;
    boost::system::error_code is_not_v6;
    if (const auto v4 = ip::make_network_v4(text, is_not_v4); !is_not_v4)
      allowed.v4_.push_back(v4);
    else if (const auto v6 = ip::make_network_v6(text, is_not_v6); !is_not_v6)
      allowed.v6_.push_back(v6);
    else
      return std::unexpected(
          msg::invalid("networks", msg::shown(text) + " is not a network: ADDRESS/LENGTH"));
  }
  return allowed;
}

bool AllowedAddresses::contains(const ip::address& address) const {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return contains(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
  const auto is_among = [](const auto& networks, const auto& one) {
    return std::ranges::any_of(networks, [&](const auto& network) { return is_in(network, one); });
  };
  if (address.is_v4()) return is_public(address.to_v4()) || is_among(v4_, address.to_v4());
  return is_public(address.to_v6()) || is_among(v6_, address.to_v6());
}

}  // namespace nucleus::image_store

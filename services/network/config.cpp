#include "services/network/config.hpp"

namespace nucleus::network {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const auto vlan = [&](const char* key, std::uint32_t otherwise, std::uint32_t least) {
    return static_cast<std::uint32_t>(settings.number(key, otherwise, least, 4094));
  };
  config.vlans.first = vlan("network.vlan_first", config.vlans.first, 2);
  config.vlans.last = vlan("network.vlan_last", config.vlans.last, 2);
  config.vlans.public_vlan = vlan("network.public_vlan", config.vlans.public_vlan, 2);
  config.vlan_quarantine_s =
      settings.number("network.vlan_quarantine_s", config.vlan_quarantine_s, 0, 604'800);
  config.sweep_ms = settings.number("network.sweep_ms", config.sweep_ms, 10, 60'000);
  if (config.vlans.last < config.vlans.first)
    return std::unexpected(
        msg::invalid("network.vlan_last", "network.vlan_last is below network.vlan_first"));
  const auto subnet =
      parse_subnet(settings.text("network.public_subnet", subnet_text(config.public_subnet)));
  if (!subnet)
    return std::unexpected(
        msg::invalid("network.public_subnet", "network.public_subnet: " + subnet.error().detail));
  config.public_subnet = *subnet;
  const auto widest = private_subnet(4097);
  if (widest.contains(subnet->base) || subnet->contains(widest.base))
    return std::unexpected(msg::invalid(
        "network.public_subnet",
        "network.public_subnet overlaps the clusters' private subnet " + subnet_text(widest)));
  return config;
}

}  // namespace nucleus::network

#include "services/network/config.hpp"

#include <charconv>
#include <iterator>
#include <sstream>

#include "services/network/driver/partitions.hpp"

namespace nucleus::network {

namespace {

/// `0x0100`, in the range of pkeys.
std::optional<std::uint32_t> parse_pkey(std::string_view text) {
  std::uint32_t value = 0;
  if (!text.starts_with("0x")) return std::nullopt;
  text.remove_prefix(2);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
  if (value < pkey_first || value > pkey_last) return std::nullopt;
  return value;
}

/// `mlx5_0/1`.
bool read_card(std::string_view text, FabricSettings& fabric) {
  const auto slash = text.find('/');
  fabric.card = text.substr(0, slash);
  if (!msg::is_name(fabric.card) || slash == text.npos) return false;
  const auto* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + slash + 1, end, fabric.port);
  return read.ec == std::errc{} && read.ptr == end && fabric.port >= 1 && fabric.port <= 254;
}

/// `ib0:0x0100-0x01ff`, or with the card `ib0@mlx5_0/1:0x0100-0x01ff`.
bool read_fabric(const std::string& word, std::map<std::string, FabricSettings>& fabrics) {
  const std::string_view text = word;
  const auto colon = text.rfind(':');
  const auto dash = text.find('-', colon == text.npos ? 0 : colon);
  if (colon == text.npos || dash == text.npos) return false;
  FabricSettings fabric;
  const auto first = parse_pkey(text.substr(colon + 1, dash - colon - 1));
  const auto last = parse_pkey(text.substr(dash + 1));
  if (!first || !last || *first > *last) return false;
  fabric.pkeys = {.first = *first, .last = *last};
  const auto place = text.substr(0, colon);
  const auto at = place.find('@');
  if (at != place.npos && !read_card(place.substr(at + 1), fabric)) return false;
  const std::string name(place.substr(0, at));
  return msg::is_name(name) && name.size() <= 32 && fabrics.emplace(name, fabric).second;
}

core::Result<void> read_fabrics(core::Settings& settings, Config& config) {
  std::istringstream words(settings.text("network.fabrics", ""));
  for (auto word = std::istream_iterator<std::string>(words); word != decltype(word){}; ++word)
    if (!read_fabric(*word, config.fabrics))
      return std::unexpected(msg::invalid(
          "network.fabrics",
          "network.fabrics must be like ib0:0x0100-0x01ff, with pkeys from 0x0001 to 0x7ffe: " +
              msg::shown(*word)));
  if (config.fabrics.size() > fabrics_max)
    return std::unexpected(msg::invalid("network.fabrics", "network.fabrics has more than 16"));
  config.fabric_directory = settings.text("network.fabric_directory", "");
  config.fabric_tools = settings.text("network.fabric_tools", "");
  config.fabric_check_ms =
      settings.number("network.fabric_check_ms", config.fabric_check_ms, 10, 4'000);
  return {};
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const auto vlan = [&](const char* key, std::uint32_t otherwise, std::uint32_t least) {
    return static_cast<std::uint32_t>(settings.number(key, otherwise, least, 4094));
  };
  config.vlans.first = vlan("network.vlan_first", config.vlans.first, 2);
  config.vlans.last = vlan("network.vlan_last", config.vlans.last, 2);
  config.vlans.reserved = vlan("network.public_vlan", config.vlans.reserved, 2);
  config.vlan_quarantine_s =
      settings.number("network.vlan_quarantine_s", config.vlan_quarantine_s, 0, 604'800);
  config.sweep_ms = settings.number("network.sweep_ms", config.sweep_ms, 10, 60'000);
  if (config.vlans.last < config.vlans.first)
    return std::unexpected(
        msg::invalid("network.vlan_last", "network.vlan_last is below network.vlan_first"));
  if (auto read = read_fabrics(settings, config); !read) return std::unexpected(read.error());
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

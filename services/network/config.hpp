// The network service's settings: default, unit, bounds.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/config/settings.hpp"
#include "services/network/address_plan.hpp"
#include "services/network/number_pool.hpp"

namespace nucleus::network {

/// An InfiniBand fabric.
struct FabricSettings {
  NumberRange pkeys = {};
  std::string card = {};   // of this machine on that fabric; empty = the first
  std::uint32_t port = 0;  // of that card; 0 = the first with a link
};

constexpr std::size_t fabrics_max = 16;

struct Config {
  NumberRange vlans = {.first = 100, .last = 3999, .reserved = 4000};
  std::int64_t vlan_quarantine_s = 300;  // before a freed VLAN, pkey or private address is leased
                                         // again
  std::map<std::string, FabricSettings> fabrics = {};  // by name
  std::string fabric_directory = {};     // has a directory for each fabric's subnet manager; empty
                                         // = no subnet manager is told
  std::string fabric_tools = {};         // directory of infiniband-diags; empty = PATH
  std::int64_t fabric_check_ms = 2'000;  // between checks of a fabric
  Subnet public_subnet = {.base = (172u << 24) + (30u << 16), .prefix_length = 20};
  std::int64_t sweep_ms = 500;  // how often waiting clusters and nodes are retried

  /// Reads `network.*`; fails if a value is out of bounds or contradicts another.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::network

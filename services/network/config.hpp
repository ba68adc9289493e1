// The network service's settings: default, unit, bounds.
#pragma once

#include <cstdint>

#include "core/config/settings.hpp"
#include "services/network/address_plan.hpp"
#include "services/network/vlan_pool.hpp"

namespace nucleus::network {

struct Config {
  VlanRange vlans = {.first = 100, .last = 3999, .public_vlan = 4000};
  std::int64_t vlan_quarantine_s = 300;  // before a freed VLAN or private address is leased again
  Subnet public_subnet = {.base = (172u << 24) + (30u << 16), .prefix_length = 20};
  std::int64_t sweep_ms = 500;  // how often waiting clusters and nodes are retried

  /// Reads `network.*`; fails if a value is out of bounds or contradicts another.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::network

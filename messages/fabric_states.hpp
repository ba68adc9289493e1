// Whether each InfiniBand fabric has the partitions that were leased.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

/// `unchecked`: its subnet manager or its ports cannot be read. `broken`: a port is in a partition
/// that it was not leased, or lacks one that it was.
NUCLEUS_ENUM(FabricState, unchecked, in_sync, broken)

constexpr std::size_t fabric_faults_max = 100;

struct Fabric {
  std::string name = {};
  FabricState state = FabricState::unknown;
  std::string reason = {};                 // why it is not in sync; one line
  std::vector<std::string> faults = {};    // of its ports: the first 100
  std::vector<std::string> warnings = {};  // settings of its subnet manager that are not safe
  std::int64_t checked_unix_s = 0;         // the last complete check; 0 = none
  std::uint32_t port_count = 0;            // of hosts on the fabric, in that check
  std::uint32_t pkeys_free = 0;
  std::uint32_t pkeys_leased = 0;
  std::uint32_t pkeys_quarantined = 0;
  NUCLEUS_FIELDS(name, state, reason, faults, warnings, checked_unix_s, port_count, pkeys_free,
                 pkeys_leased, pkeys_quarantined);
};

struct Fabrics {
  std::vector<Fabric> fabrics = {};  // by name, at most 16
  NUCLEUS_FIELDS(fabrics);
};

/// The fabrics of the network service's settings.
struct ListFabrics {
  static constexpr std::string_view topic = "network.list-fabrics";
  using Reply = Fabrics;
  NUCLEUS_NO_FIELDS()
};

}  // namespace nucleus::msg

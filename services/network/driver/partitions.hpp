// The partitions of a fabric: as they are wanted, as its ports have them, and the difference. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace nucleus::network {

constexpr std::uint32_t pkey_first = 0x0001;
constexpr std::uint32_t pkey_last = 0x7ffe;
constexpr std::uint16_t default_limited = 0x7fff;       // what every port has
constexpr std::uint16_t default_full = 0xffff;          // the subnet manager's port alone
constexpr std::uint16_t full_member = 0x8000;           // this bit of an entry of a port's table
constexpr std::size_t partition_members_max = 100'000;  // of one fabric

/// Of a port on a fabric.
struct PortGuid {
  std::uint64_t value = 0;
  auto operator<=>(const PortGuid&) const = default;
};

/// `0x` and 16 hex digits.
std::string guid_text(PortGuid guid);
/// `0x` and 1 to 16 hex digits, not 0.
std::optional<PortGuid> parse_guid(std::string_view text);
/// `0x0101`.
std::string pkey_text(std::uint32_t pkey);

/// The full members of each partition except the default one, by pkey. A port may be in several.
using Partitions = std::map<std::uint32_t, std::set<PortGuid>>;

/// What the ports of hosts have: the entries of their pkey tables that are not 0.
struct FabricReading {
  PortGuid manager = {};  // the port of the master subnet manager
  std::map<PortGuid, std::set<std::uint16_t>> tables = {};
};

/// The content of OpenSM's partitions file. `invalid_argument` if a pkey is out of range, or there
/// are too many members. Partitions without members are left out.
core::Result<std::string> partitions_text(const Partitions& partitions);

/// Reads what `partitions_text` writes, and nothing else: OpenSM opens every partition if its file
/// has a fault, so each content is read back before it replaces another.
core::Result<Partitions> parse_partitions(std::string_view text);

struct PartitionFault {
  PortGuid guid = {};
  std::string reason = {};
  bool is_excess = false;  // it reaches what it must not; otherwise it lacks a partition
};

/// How the ports on the fabric differ from the partitions. Members that are not on the fabric are
/// no fault.
std::vector<PartitionFault> differences(const Partitions& wanted, const FabricReading& reading);

/// `port 0x0002c90300000011 is ...`.
std::string shown(const PartitionFault& fault);

}  // namespace nucleus::network

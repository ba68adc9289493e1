// InfiniBand: the partition leased to a cluster on each fabric, and the adapters of hosts.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

/// A cluster's partition of one fabric.
struct FabricLease {
  std::string fabric = {};  // a name of the operator's settings
  std::uint32_t pkey = 0;   // 0x0001..0x7ffe, of no other cluster; quarantined after the cluster
  NUCLEUS_FIELDS(fabric, pkey);

  friend bool operator==(const FabricLease&, const FabricLease&) = default;
};

/// A port of a host on a fabric, as a PCI function that a node can be given: a VF, or a whole PF.
struct Adapter {
  std::string pci_address = {};  // DDDD:BB:SS.F, hex
  std::string fabric = {};
  std::string port_guid = {};     // 0x and 16 hex digits
  std::int32_t numa_node = -1;    // of the host; -1 = not known
  bool is_virtual = false;        // a VF
  std::string pf_port_guid = {};  // of a VF: its PF's port, whose table has the VF's partitions
  NUCLEUS_FIELDS(pci_address, fabric, port_guid, numa_node, is_virtual, pf_port_guid);

  friend bool operator==(const Adapter&, const Adapter&) = default;
};

/// An adapter that a placed node has.
struct LeasedAdapter {
  Adapter adapter = {};
  std::uint32_t pkey = 0;  // its port is a full member of this partition
  NUCLEUS_FIELDS(adapter, pkey);

  friend bool operator==(const LeasedAdapter&, const LeasedAdapter&) = default;
};

/// The GUID of the port whose table of pkeys has the adapter's partitions.
inline const std::string& table_port(const Adapter& adapter) {
  return adapter.pf_port_guid.empty() ? adapter.port_guid : adapter.pf_port_guid;
}

constexpr std::size_t host_adapters_max = 64;

inline bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// `0000:81:00.1`, in lower case.
inline bool is_pci_address(std::string_view text) {
  return text.size() == 12 && text[4] == ':' && text[7] == ':' && text[10] == '.' &&
         is_hex(text.substr(0, 4)) && is_hex(text.substr(5, 2)) && is_hex(text.substr(8, 2)) &&
         text[11] >= '0' && text[11] <= '7';
}

/// `0x` and 16 hex digits in lower case, not all 0.
inline bool is_port_guid(std::string_view text) {
  return text.size() == 18 && text.starts_with("0x") && is_hex(text.substr(2)) &&
         text.find_first_not_of('0', 2) != text.npos;
}

inline std::optional<Error> check(const std::vector<Adapter>& adapters) {
  if (adapters.size() > host_adapters_max)
    return invalid("adapters", "adapters must have at most 64 entries");
  for (const auto& adapter : adapters) {
    if (auto broken = check_name("adapters", adapter.fabric)) return broken;
    if (!is_pci_address(adapter.pci_address))
      return invalid("adapters", "a pci_address must be like 0000:81:00.1");
    if (!is_port_guid(table_port(adapter)) || !is_port_guid(adapter.port_guid))
      return invalid("adapters", "a port_guid must be 0x and 16 hex digits");
    if (adapter.numa_node < -1 || adapter.numa_node > 1023)
      return invalid("adapters", "a numa_node must be -1 to 1023");
  }
  return std::nullopt;
}

}  // namespace nucleus::msg

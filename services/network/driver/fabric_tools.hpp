// What the programs of infiniband-diags print, and OpenSM's options. Pure; every reader is bounded,
// since the names of ports on a fabric are chosen by those who administer them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "services/network/driver/partitions.hpp"

namespace nucleus::network {

constexpr std::size_t fabric_ports_max = 20'000;
constexpr std::size_t fabric_lid_max = 0xbfff;

/// A port of a host.
struct EndPort {
  PortGuid guid = {};
  std::uint32_t lid = 0;     // 1..0xbfff
  std::uint32_t number = 0;  // of the port on its card, 1..254
};

/// Of `ibnetdiscover -p`: the ports of hosts that have a link and an address. A port whose link is
/// down is not in it.
core::Result<std::vector<EndPort>> parse_ports(std::string_view output);

/// Of `smpquery pkeys LID PORT`: the entries that are not 0.
core::Result<std::set<std::uint16_t>> parse_pkey_table(std::string_view output);

/// Of `sminfo`: the port of the master subnet manager. `unavailable` if it is not the master.
core::Result<PortGuid> parse_manager(std::string_view output);

/// The settings in OpenSM's options file that let a host or a mistake undo the isolation; one
/// sentence for each. `partitions_file` is the file that OpenSM must read.
std::vector<std::string> unsafe_options(std::string_view options,
                                        const std::string& partitions_file);

}  // namespace nucleus::network

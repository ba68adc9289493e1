#include "services/provisioner/driver/adapter_partitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include "services/provisioner/driver/sysfs.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr const char* no_entry = "none";
constexpr const char* limited_default = "0x7fff";  // a full member, 0xffff, would reach all
constexpr std::uint32_t full_member = 0x8000;
constexpr int port_pkeys_max = 1'024;

/// The PF of a VF; else the function itself.
std::string pf_of(const HostAdapters& host, const std::string& pci_address) {
  const auto pf = sysfs_link(fs::path(host.sysfs) / "bus/pci/devices" / pci_address / "physfn");
  return pf.empty() ? pci_address : pf;
}

core::Result<void> differs_from_grant(const std::string& what) {
  return core::refuse(ErrorCode::wrong_state, what);
}

std::vector<std::string> read_port_pkeys(const fs::path& port) {
  std::vector<std::string> lines;
  for (int index = 0; index < port_pkeys_max; ++index) {
    auto line = sysfs_line(port / "pkeys" / std::to_string(index));
    if (line.empty()) break;
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The table of one port of a VF, as files by their index.
class GuestTable {
 public:
  GuestTable(fs::path directory, std::string pci_address)
      : directory_{std::move(directory)}, pci_address_{std::move(pci_address)} {
    std::error_code fault;
    while (fs::exists(file(entry_count_), fault)) ++entry_count_;
  }

  std::size_t entry_count() const { return entry_count_; }

  /// Writes what differs, and reads all of it back.
  core::Result<void> set(const std::vector<std::string>& entries) const {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (sysfs_line(file(i)) == entries[i]) continue;
      if (const int fault = write_sysfs(file(i), entries[i]); fault != 0)
        return core::refuse(ErrorCode::internal,
                            fmt::format("entry {} of the partitions of adapter {} cannot be "
                                        "written: {}",
                                        i, pci_address_, std::generic_category().message(fault)));
    }
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (const auto seen = sysfs_line(file(i)); seen != entries[i])
        return core::refuse(
            ErrorCode::internal,
            fmt::format("entry {} of the partitions of adapter {} is {}, not {}", i, pci_address_,
                        seen.empty() ? "empty" : msg::shown(seen), entries[i]));
    return {};
  }

  core::Result<void> clear() const { return set(std::vector<std::string>(entry_count_, no_entry)); }

 private:
  fs::path file(std::size_t index) const { return directory_ / std::to_string(index); }

  fs::path directory_;
  std::string pci_address_;
  std::size_t entry_count_ = 0;
};

/// A VF of mlx4 as its PF shows it.
struct GuestPorts {
  fs::path card = {};                             // the InfiniBand device of the PF
  std::map<std::string, GuestTable> tables = {};  // of the ports on InfiniBand, by number
};

GuestPorts guest_ports(const HostAdapters& host, const std::string& pci_address) {
  GuestPorts found;
  if (!msg::is_pci_address(pci_address)) return found;
  const auto pf = pf_of(host, pci_address);
  if (!host.functions.contains(pf)) return found;
  found.card = infiniband_device(host.sysfs, pf);
  if (found.card.empty()) return found;
  std::error_code fault;
  for (fs::directory_iterator port(found.card / "iov" / pci_address / "ports", fault), end;
       !fault && port != end; port.increment(fault)) {
    const auto number = port->path().filename().string();
    if (sysfs_line(found.card / "ports" / number / "link_layer") != "InfiniBand") continue;
    found.tables.emplace(number, GuestTable(port->path() / "pkey_idx", pci_address));
  }
  return found;
}

}  // namespace

core::Result<void> check_adapter(const HostAdapters& host, const msg::Adapter& adapter) {
  const auto function = host.functions.find(pf_of(host, adapter.pci_address));
  const auto& address = adapter.pci_address;
  const auto found =
      function == host.functions.end() ? FoundAdapters{} : find_adapters(host.sysfs, {*function});
  const auto seen = std::ranges::find(found.adapters, address, &msg::Adapter::pci_address);
  if (seen == found.adapters.end()) return differs_from_grant("its host has no adapter " + address);
  if (seen->fabric != adapter.fabric)
    return differs_from_grant(fmt::format("its adapter {} is on fabric {}, not {}", address,
                                          seen->fabric, adapter.fabric));
  if (seen->port_guid != adapter.port_guid)
    return differs_from_grant(fmt::format("its adapter {} has port GUID {}, not {}", address,
                                          seen->port_guid, adapter.port_guid));
  if (seen->is_virtual != adapter.is_virtual)
    return differs_from_grant(
        fmt::format("its adapter {} is {} VF", address, seen->is_virtual ? "a" : "no"));
  return {};
}

core::Result<std::vector<std::string>> plan_guest_pkeys(const std::vector<std::string>& port_pkeys,
                                                        std::size_t entry_count,
                                                        const msg::LeasedAdapter& leased) {
  const auto& address = leased.adapter.pci_address;
  const auto partition =
      std::ranges::find(port_pkeys, fmt::format("{:#06x}", leased.pkey | full_member));
  if (partition == port_pkeys.end())
    return core::refuse(
        ErrorCode::unavailable,
        fmt::format("its adapter {} has no entry for partition {:#06x} yet", address, leased.pkey));
  const auto common = std::ranges::find(port_pkeys, limited_default);
  if (common == port_pkeys.end())
    return core::refuse(
        ErrorCode::unavailable,
        fmt::format("its adapter {} is not a limited member of the default partition "
                    "yet",
                    address));
  if (entry_count < 2)
    return core::refuse(
        ErrorCode::internal,
        fmt::format("its adapter {} has room for {} partitions, not 2", address, entry_count));
  std::vector<std::string> entries(entry_count, no_entry);
  entries[0] = std::to_string(partition - port_pkeys.begin());
  entries[1] = std::to_string(common - port_pkeys.begin());
  return entries;
}

core::Result<void> set_partition(const HostAdapters& host, const msg::LeasedAdapter& leased) {
  if (!leased.adapter.is_virtual) return {};
  const auto ports = guest_ports(host, leased.adapter.pci_address);
  const auto first = ports.tables.find("1");
  const std::size_t entry_count = first == ports.tables.end() ? 0 : first->second.entry_count();
  const auto port = ports.card / "ports/1";
  const auto entries = plan_guest_pkeys(read_port_pkeys(port), entry_count, leased);
  if (!entries) return std::unexpected(entries.error());
  for (const auto& [number, table] : ports.tables) {
    const auto set = number == "1" ? table.set(*entries) : table.clear();
    if (!set) return set;
  }
  // The subnet manager may have changed the port's table meanwhile.
  const auto again = plan_guest_pkeys(read_port_pkeys(port), entry_count, leased);
  if (!again) return std::unexpected(again.error());
  if (*again == *entries) return {};
  return core::refuse(ErrorCode::unavailable,
                      fmt::format("the partitions of its adapter {} are being changed",
                                  leased.adapter.pci_address));
}

core::Result<void> clear_partitions(const HostAdapters& host, const std::string& pci_address) {
  for (const auto& [number, table] : guest_ports(host, pci_address).tables)
    if (auto cleared = table.clear(); !cleared) return cleared;
  return {};
}

}  // namespace nucleus::provisioner

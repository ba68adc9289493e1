#include "services/provisioner/driver/adapters.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "services/provisioner/driver/sysfs.hpp"

namespace nucleus::provisioner {

namespace {

namespace fs = std::filesystem;

constexpr int functions_max = 512;  // VFs of one PF that are looked at
constexpr std::size_t adapters_reason_bytes_max = 1'024;

/// The GUID in 16 hex digits with `:` among them; empty if it is none, or 0.
std::string guid_of_digits(std::string digits) {
  std::erase(digits, ':');
  if (digits.starts_with("0x")) digits.erase(0, 2);
  std::ranges::transform(digits, digits.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? char(c - 'A' + 'a') : c; });
  if (digits.empty() || digits.size() > 16) return {};
  const auto guid = "0x" + std::string(16 - digits.size(), '0') + digits;
  return msg::is_port_guid(guid) ? guid : std::string{};
}

/// The second half of the port's first GID: fe80:0000:0000:0000:0002:c903:00a1:b2c3.
std::string guid_of_port(const fs::path& port) {
  const auto gid = sysfs_line(port / "gids/0");
  return gid.size() == 39 ? guid_of_digits(gid.substr(20)) : std::string{};
}

/// A PF, and what is found of it.
class Function {
 public:
  Function(const std::string& sysfs, std::string address, std::string fabric)
      : sysfs_{sysfs},
        address_{std::move(address)},
        fabric_{std::move(fabric)},
        devices_{fs::path(sysfs) / "bus/pci/devices"},
        device_{devices_ / address_} {}

  FoundAdapters find() {
    std::error_code fault;
    if (!fs::exists(device_, fault)) return missing("the host has no such function");
    card_ = infiniband_device(sysfs_, address_);
    if (card_.empty()) return missing("it has no InfiniBand driver, or a node has it");
    if (sysfs_line(card_ / "ports/1/link_layer") != "InfiniBand")
      return missing("its first port is not on InfiniBand");
    const auto driver = sysfs_link(device_ / "driver");
    const auto vf_count = sysfs_number(device_ / "sriov_numvfs").value_or(0);
    if (driver == "mlx4_core" && vf_count > 0) return find_functions();
    find_whole();
    if (vf_count > 0)
      add_reason("its VFs are not offered: OpenSM manages no GUIDs of VFs of " + driver);
    return std::move(found_);
  }

 private:
  FoundAdapters missing(const std::string& why) {
    add_reason(why);
    return std::move(found_);
  }
  void add_reason(const std::string& why) {
    found_.reason += (found_.reason.empty() ? "" : "; ") + address_ + ": " + why;
  }
  void add(const std::string& address, const std::string& guid, bool is_virtual) {
    const auto pf_guid = is_virtual ? guid_of_port(card_ / "ports/1") : std::string{};
    const auto numa_node = sysfs_number(devices_ / address / "numa_node").value_or(-1);
    found_.adapters.push_back({.pci_address = address,
                               .fabric = fabric_,
                               .port_guid = guid,
                               .numa_node = numa_node >= 0 && numa_node < 1'024 ? numa_node : -1,
                               .is_virtual = is_virtual,
                               .pf_port_guid = pf_guid});
  }

  void find_whole() {
    if (const auto guid = guid_of_port(card_ / "ports/1"); !guid.empty())
      add(address_, guid, false);
    else
      add_reason("its port has no GUID");
  }

  /// Each VF names its entry in the list of alias GUIDs.
  FoundAdapters find_functions() {
    for (int number = 0; number < functions_max; ++number) {
      const auto address = sysfs_link(device_ / ("virtfn" + std::to_string(number)));
      if (address.empty()) break;
      if (!msg::is_pci_address(address)) continue;
      const auto index = sysfs_number(card_ / "iov" / address / "ports/1/gid_idx/0");
      const auto guid = index ? guid_of_digits(sysfs_line(card_ / "iov/ports/1/admin_guids" /
                                                          std::to_string(*index)))
                              : std::string{};
      if (guid.empty())
        add_reason("VF " + address + " has no alias GUID");
      else
        add(address, guid, true);
    }
    return std::move(found_);
  }

  const std::string& sysfs_;
  std::string address_;
  std::string fabric_;
  fs::path devices_;
  fs::path device_;
  fs::path card_ = {};  // mlx4_0, the InfiniBand device of the PF
  FoundAdapters found_ = {};
};

}  // namespace

core::Result<AdapterFunctions> parse_adapter_functions(const std::string& text) {
  AdapterFunctions functions;
  std::istringstream words(text);
  for (auto word = std::istream_iterator<std::string>(words); word != decltype(word){}; ++word) {
    const auto equals = word->find('=');
    const auto address = word->substr(0, equals);
    const auto fabric = equals == word->npos ? std::string{} : word->substr(equals + 1);
    if (!msg::is_pci_address(address) || !msg::is_name(fabric) || fabric.size() > 32 ||
        !functions.emplace(address, fabric).second)
      return std::unexpected(msg::invalid("provisioner.adapters",
                                          "must be PFs with their fabrics, like 0000:81:00.0=ib0"));
  }
  return functions;
}

std::string infiniband_device(const std::string& sysfs, const std::string& pf) {
  std::error_code fault;
  for (fs::directory_iterator entry(fs::path(sysfs) / "bus/pci/devices" / pf / "infiniband", fault),
       end;
       !fault && entry != end; entry.increment(fault))
    return entry->path().string();
  return {};
}

FoundAdapters find_adapters(const std::string& sysfs, const AdapterFunctions& functions) {
  FoundAdapters all;
  for (const auto& [address, fabric] : functions) {
    auto found = Function(sysfs, address, fabric).find();
    std::ranges::move(found.adapters, std::back_inserter(all.adapters));
    if (!found.reason.empty()) all.reason += (all.reason.empty() ? "" : "; ") + found.reason;
  }
  std::ranges::sort(all.adapters, {}, &msg::Adapter::pci_address);
  if (all.adapters.size() > msg::host_adapters_max) {
    all.adapters.resize(msg::host_adapters_max);
    all.reason =
        "only the first 64 adapters are offered" + (all.reason.empty() ? "" : "; " + all.reason);
  }
  all.reason.resize(std::min(all.reason.size(), adapters_reason_bytes_max));
  return all;
}

}  // namespace nucleus::provisioner

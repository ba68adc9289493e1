// A sysfs with PCI functions and InfiniBand devices, as the drivers mlx4 and mlx5 lay it out.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {

class SysfsTree {
 public:
  std::string root() const { return folder_.path(); }
  std::string file(const std::string& path) const { return folder_.file(path); }

  void write(const std::string& path, const std::string& content) const {
    const std::filesystem::path written = folder_.file(path);
    std::filesystem::create_directories(written.parent_path());
    std::ofstream(written) << content << "\n";
  }

  void add_function(const std::string& address, int numa_node) const {
    write("bus/pci/devices/" + address + "/numa_node", std::to_string(numa_node));
  }

  /// A PF with its driver, its InfiniBand device and the GUID of its port.
  void add_card(const std::string& address, const std::string& driver, const std::string& device,
                const std::string& gid, const std::string& link_layer = "InfiniBand") const {
    add_function(address, 1);
    const auto path = "bus/pci/devices/" + address;
    std::filesystem::create_directories(folder_.file("bus/pci/drivers/" + driver));
    std::filesystem::create_directory_symlink("../../drivers/" + driver,
                                              folder_.file(path + "/driver"));
    write(path + "/sriov_numvfs", "0");
    write(path + "/infiniband/" + device + "/ports/1/link_layer", link_layer);
    write(path + "/infiniband/" + device + "/ports/1/gids/0", gid);
  }

  void add_virtual_function(const std::string& of, int number, const std::string& address) const {
    add_function(address, 1);
    std::filesystem::create_directory_symlink(
        "../" + of, folder_.file("bus/pci/devices/" + address + "/physfn"));
    std::filesystem::create_directory_symlink(
        "../" + address,
        folder_.file("bus/pci/devices/" + of + "/virtfn" + std::to_string(number)));
    write("bus/pci/devices/" + of + "/sriov_numvfs", std::to_string(number + 1));
  }

  /// As mlx4 does it: the VF names its entry among the alias GUIDs of the port.
  void add_alias(const std::string& pf, const std::string& vf, int index,
                 const std::string& guid) const {
    write(iov(pf) + vf + "/ports/1/gid_idx/0", std::to_string(index));
    write(iov(pf) + "ports/1/admin_guids/" + std::to_string(index), guid);
  }

  /// The table of a port of a PF of mlx4.
  void set_port_pkeys(const std::string& pf, const std::vector<std::string>& pkeys,
                      const std::string& port = "1") const {
    const auto path = "bus/pci/devices/" + pf + "/infiniband/mlx4_0/ports/" + port;
    write(path + "/link_layer", "InfiniBand");
    for (std::size_t i = 0; i < pkeys.size(); ++i)
      write(path + "/pkeys/" + std::to_string(i), pkeys[i]);
  }

  /// The table of a VF's guest, as its PF has it.
  void set_guest_pkeys(const std::string& pf, const std::string& vf,
                       const std::vector<std::string>& entries,
                       const std::string& port = "1") const {
    for (std::size_t i = 0; i < entries.size(); ++i) write(guest_pkey(pf, vf, i, port), entries[i]);
  }
  static std::string guest_pkey(const std::string& pf, const std::string& vf, std::size_t index,
                                const std::string& port = "1") {
    return iov(pf) + vf + "/ports/" + port + "/pkey_idx/" + std::to_string(index);
  }

  /// All files with their content, by their path below the root.
  std::map<std::string, std::string> content() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path());
      all[std::filesystem::relative(entry.path(), root())] = {std::istreambuf_iterator(file), {}};
    }
    return all;
  }

 private:
  static std::string iov(const std::string& pf) {
    return "bus/pci/devices/" + pf + "/infiniband/mlx4_0/iov/";
  }

  tests::TemporaryFolder folder_ = {};
};

}  // namespace nucleus::provisioner

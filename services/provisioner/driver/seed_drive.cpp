#include "services/provisioner/driver/seed_drive.hpp"

#include <filesystem>
#include <fstream>

#include "core/hostlist/peer_ranges.hpp"
#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::milliseconds tool_deadline{10'000};
constexpr std::uintmax_t drive_bytes = 1440 * 1024;

bool write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  return static_cast<bool>(file.flush());
}

}  // namespace

core::Result<SeedFiles> plan_seed(const msg::Grant& grant) {
  const auto peers = core::hostlist::expand_peers(grant.peers);
  if (!peers) return std::unexpected(peers.error());
  SeedFiles files;
  // Another epoch is another boot of the same machine, not another instance.
  files.meta_data =
      "instance-id: " + grant.node_id.value + "\nlocal-hostname: " + grant.node_name + "\n";
  files.network_config = "version: 2\nethernets:\n";
  for (std::size_t i = 0; i < grant.ports.size(); ++i) {
    const auto& port = grant.ports[i];
    const std::string address = port.ip + "/" + std::to_string(port.prefix_length);
    files.network_config += "  port" + std::to_string(i) + ":\n    match:\n      macaddress: \"" +
                            port.mac + "\"\n    addresses: [\"" + address + "\"]\n";
    if (!port.gateway.empty())
      files.network_config += "    routes: [{to: default, via: " + port.gateway + "}]\n";
    files.ports +=
        port.mac + " " + address + " " + (port.gateway.empty() ? "-" : port.gateway) + "\n";
  }
  files.user_data = "#cloud-config\nmanage_etc_hosts: false\n";
  files.hosts = "127.0.0.1 localhost\n";
  for (const auto& peer : *peers) files.hosts += peer.ip + " " + peer.name + "\n";
  return files;
}

core::Result<void> write_seed_drive(const std::string& path, const SeedFiles& files) {
  namespace fs = std::filesystem;
  const fs::path folder = path + ".new.d";
  const fs::path drive = path + ".new";
  std::error_code fault;
  fs::remove_all(folder, fault);
  fs::create_directories(folder, fault);
  const bool is_written = write_file(folder / "meta-data", files.meta_data) &&
                          write_file(folder / "network-config", files.network_config) &&
                          write_file(folder / "user-data", files.user_data) &&
                          write_file(folder / "hosts", files.hosts) &&
                          write_file(folder / "ports", files.ports) && write_file(drive, "");
  if (is_written) fs::resize_file(drive, drive_bytes, fault);
  if (!is_written || fault)
    return core::refuse(core::ErrorCode::internal, "the seed drive cannot be written");
  // Both tools know what a disk image is by `-i FILE`; no mount, no loop device.
  auto made =
      core::must_run_child({.argv = {"mformat", "-i", drive, "-f", "1440", "-v", "cidata", "::"},
                            .deadline = tool_deadline});
  if (made)
    made = core::must_run_child(
        {.argv = {"mcopy", "-i", drive, folder / "meta-data", folder / "network-config",
                  folder / "user-data", folder / "hosts", folder / "ports", "::"},
         .deadline = tool_deadline});
  fs::remove_all(folder, fault);
  if (!made) return std::unexpected(made.error());
  fs::rename(drive, path, fault);
  if (fault)
    return core::refuse(core::ErrorCode::internal, "the seed drive cannot be put in place");
  return {};
}

}  // namespace nucleus::provisioner

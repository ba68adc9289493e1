#include "services/provisioner/driver/seed_drive.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>
#include <vector>

#include "core/hostlist/peer_ranges.hpp"
#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds tool_timeout{10'000};
constexpr std::uintmax_t drive_bytes = 1440 * 1024;

/// By their names on the drive.
std::map<std::string, std::string> named(const SeedFiles& files) {
  return {{"meta-data", files.meta_data},
          {"network-config", files.network_config},
          {"user-data", files.user_data},
          {"hosts", files.hosts},
          {"ports", files.ports}};
}

bool write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  return static_cast<bool>(file.flush());
}

bool is_written(const fs::path& directory, const std::map<std::string, std::string>& texts) {
  for (const auto& [name, text] : texts) {
    std::ifstream file(directory / name, std::ios::binary);
    if (!file || std::string(std::istreambuf_iterator<char>(file), {}) != text) return false;
  }
  return true;
}

}  // namespace

core::Result<SeedFiles> plan_seed(const msg::Grant& grant) {
  const auto peers = core::hostlist::expand_peers(grant.peers);
  if (!peers) return std::unexpected(peers.error());
  SeedFiles files;
  // Another epoch is another boot of the same instance.
  files.meta_data = "instance-id: " + grant.node_id.value + "\nlocal-hostname: " + grant.node_name +
                    "\nnucleus-epoch: " + std::to_string(grant.epoch) + "\n";
  files.network_config = "version: 2\nethernets:\n";
  for (std::size_t i = 0; i < grant.ports.size(); ++i) {
    const auto& port = grant.ports[i];
    const std::string address = port.ip + "/" + std::to_string(port.prefix_length);
    files.network_config +=
        "  port" + std::to_string(i) + ":\n    match:\n      macaddress: \"" + port.mac + "\"\n";
    if (port.name_server.empty())
      files.network_config += "    addresses: [\"" + address + "\"]\n";
    else  // its address is leased by Nucleus, and is the same
      files.network_config +=
          "    dhcp4: true\n    nameservers: {addresses: [" + port.name_server + "]}\n";
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
  // The directory holds the drive's source files: put in place after it, removed before it.
  const fs::path made_from = path + ".d";
  const fs::path directory = path + ".new.d";
  const fs::path drive = path + ".new";
  const auto texts = named(files);
  std::error_code fault;
  if (fs::exists(path, fault) && is_written(made_from, texts)) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), fault);  // most recently used
    return {};
  }
  fs::remove_all(directory, fault);
  fs::create_directories(directory, fault);
  bool is_sound = write_file(drive, "");
  std::vector<std::string> copy{"mcopy", "-i", drive};
  for (const auto& [name, text] : texts) {
    is_sound = is_sound && write_file(directory / name, text);
    copy.push_back(directory / name);
  }
  copy.emplace_back("::");
  if (is_sound) fs::resize_file(drive, drive_bytes, fault);
  if (!is_sound || fault)
    return core::refuse(core::ErrorCode::internal, "the seed drive cannot be written");
  // Both tools take a disk image as `-i FILE`: no mount, no loop device.
  auto made =
      core::must_run_child({.argv = {"mformat", "-i", drive, "-f", "1440", "-v", "cidata", "::"},
                            .deadline = tool_timeout});
  if (made) made = core::must_run_child({.argv = copy, .deadline = tool_timeout});
  if (!made) return std::unexpected(made.error());
  fs::remove_all(made_from, fault);
  if (!fault) fs::rename(drive, path, fault);
  if (!fault) fs::rename(directory, made_from, fault);
  if (fault)
    return core::refuse(core::ErrorCode::internal, "the seed drive cannot be put in place");
  prune_seed_drives(fs::path(path).parent_path(), seed_drives_max);
  return {};
}

void prune_seed_drives(const std::string& directory, std::size_t count_max) {
  std::vector<std::pair<fs::file_time_type, fs::path>> drives;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(directory, fault))
    if (entry.path().extension() == ".img")
      if (const auto used = fs::last_write_time(entry.path(), fault); !fault)
        drives.emplace_back(used, entry.path());
  if (drives.size() <= count_max) return;
  std::ranges::sort(drives);
  drives.resize(drives.size() - count_max);
  for (const auto& [used, drive] : drives) {
    fs::remove(drive, fault);
    fs::remove_all(drive.string() + ".d", fault);
  }
}

}  // namespace nucleus::provisioner

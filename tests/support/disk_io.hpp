// Reads and writes the disk of a volume with qemu-io, which opens its chain as QEMU does by the
// domain's XML: no header of a file names another.
#pragma once

#include <nlohmann/json.hpp>
#include <ranges>
#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::tests {

inline std::string chain_of(const provisioner::HostVolume& volume) {
  using nlohmann::json;
  const auto file = [](const std::string& path, const json& below) {
    return json{{"driver", "qcow2"},
                {"file", {{"driver", "file"}, {"filename", path}}},
                {"backing", below}};
  };
  const auto& disk = *volume.disk;
  json chain = nullptr;
  if (!disk.base_url.empty())
    chain = {{"driver", disk.base_format},
             {"file",
              {{"driver", "nbd"},
               {"server", {{"type", "unix"}, {"path", provisioner::base_socket(volume)}}}}}};
  for (const auto& layer : disk.layers) chain = file(layer.file.path, chain);
  return "json:" + file(disk.path, chain).dump();
}

/// The output of the commands; an error if one of them fails.
inline core::Result<std::string> disk_io(const provisioner::HostVolume& volume,
                                         const std::vector<std::string>& commands) {
  core::ChildCommand child{.argv = {"qemu-io"}, .deadline = std::chrono::milliseconds{20'000}};
  // As the domain's XML: what is read of the base is kept, but not above a layer.
  if (volume.disk->layers.empty()) child.argv.emplace_back("-C");
  for (const auto& command : commands) child.argv.insert(child.argv.end(), {"-c", command});
  child.argv.push_back(chain_of(volume));
  auto output = core::must_run_child(child);
  if (output && output->find("failed") != output->npos)
    return core::refuse(core::ErrorCode::internal, *output);
  return output;
}

/// Empty, or why the disk does not have this byte from `at` on.
inline std::string fault_in_disk(const provisioner::HostVolume& volume, int byte,
                                 const std::string& at, const std::string& count = "64k") {
  const auto read = disk_io(volume, {"read -P " + std::to_string(byte) + " " + at + " " + count});
  return read ? "" : read.error().detail;
}

}  // namespace nucleus::tests

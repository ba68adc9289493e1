#include "services/image_store/driver/qcow2_overlay.hpp"

#include <vector>

#include "core/runtime/child_process.hpp"

namespace nucleus::image_store {

namespace {

constexpr std::chrono::milliseconds create_deadline{60'000};

}  // namespace

core::Result<void> make_overlay(const std::filesystem::path& path, const Overlay& overlay) {
  std::vector<std::string> argv = {"qemu-img", "create", "-q", "-f", "qcow2"};
  if (!overlay.backing.empty())
    argv.insert(argv.end(), {"-u", "-b", overlay.backing, "-F", overlay.backing_format});
  argv.insert(argv.end(), {path, std::to_string(overlay.disk_bytes)});
  auto made = core::must_run_child({.argv = argv, .deadline = create_deadline});
  if (!made) return std::unexpected(made.error());
  return {};
}

std::filesystem::path next_of(const std::filesystem::path& disk) {
  return disk.string() + ".next";
}

}  // namespace nucleus::image_store

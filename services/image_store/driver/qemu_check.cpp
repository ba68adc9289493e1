#include "services/image_store/driver/qemu_check.hpp"

#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "messages/common.hpp"

namespace nucleus::image_store {

namespace {

// The exit statuses of `qemu-img check`.
constexpr auto is_sound = core::exited(0);
constexpr auto has_only_leaks = core::exited(3);

}  // namespace

core::Result<void> check_by_qemu_img(const std::string& path, std::chrono::milliseconds deadline) {
  const auto checked = core::run_child(
      {.argv = {"qemu-img", "check", "-q", "-f", "qcow2", path},
       .deadline = deadline,
       .output_bytes_max = 4096,
       .confinement = core::Confinement{
           .memory_bytes = 1ULL << 30,
           .cpu_s = std::chrono::duration_cast<std::chrono::seconds>(deadline).count()}});
  if (!checked) {
    if (checked.error().code != core::ErrorCode::deadline_exceeded)
      return std::unexpected(checked.error());
    return std::unexpected(msg::invalid("format", "the qcow2 image takes too long to check"));
  }
  if (checked->end == is_sound || checked->end == has_only_leaks) return {};
  // Its message names files of the store.
  core::log::warning("image_is_corrupt", {{"end", core::shown(checked->end)}});
  return std::unexpected(msg::invalid("format", "the tables of the qcow2 image are corrupt"));
}

}  // namespace nucleus::image_store

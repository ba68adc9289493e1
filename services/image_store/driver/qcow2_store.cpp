#include "services/image_store/driver/qcow2_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"

namespace nucleus::image_store {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds tool_deadline{60'000};
constexpr const char* volume_ending = ".qcow2";

core::Result<void> failed(const std::string& what, const std::error_code& fault) {
  const bool is_full = fault == std::errc::no_space_on_device;
  return core::refuse(is_full ? ErrorCode::no_capacity : ErrorCode::internal,
                      what + ": " + fault.message());
}

void sync(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  fsync(file);
  close(file);
}

core::Result<void> copy_file(const std::string& from, const fs::path& to) {
  if (from.empty()) return {};
  std::error_code fault;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, fault);
  if (fault) return failed("an image file cannot be copied", fault);
  fs::permissions(to, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read,
                  fault);
  sync(to);
  return {};
}

}  // namespace

Qcow2Store::Qcow2Store(fs::path images, fs::path volumes)
    : images_{std::move(images)}, volumes_{std::move(volumes)} {
  std::error_code ignored;  // each call says so where they are missing
  fs::create_directories(images_, ignored);
  fs::create_directories(volumes_, ignored);
}

core::Result<void> Qcow2Store::publish(const msg::ImageId& image_id, const ImageFiles& from) {
  const fs::path target = images_ / image_id.value;
  const fs::path fresh = target.string() + ".new";
  std::error_code fault;
  fs::remove_all(fresh, fault);
  fs::create_directories(fresh, fault);
  if (fault) return failed("the image's folder cannot be made", fault);
  auto copied = copy_file(from.disk, fresh / "disk");
  if (copied) copied = copy_file(from.kernel, fresh / "kernel");
  if (copied) copied = copy_file(from.initramfs, fresh / "initramfs");
  if (!copied) {
    fs::remove_all(fresh, fault);
    return copied;
  }
  sync(fresh);
  fs::remove_all(target, fault);
  fs::rename(fresh, target, fault);
  if (fault) return failed("the image cannot be put in place", fault);
  sync(target.parent_path());
  return {};
}

ImageFiles Qcow2Store::files_of(const msg::ImageId& image_id) const {
  const auto path_if_there = [&](const char* name) {
    const fs::path path = images_ / image_id.value / name;
    std::error_code ignored;
    return fs::exists(path, ignored) ? path.string() : std::string();
  };
  return {.disk = path_if_there("disk"),
          .kernel = path_if_there("kernel"),
          .initramfs = path_if_there("initramfs")};
}

core::Result<void> Qcow2Store::remove_image(const msg::ImageId& image_id) {
  std::error_code fault;
  fs::remove_all(images_ / image_id.value, fault);
  if (fault) return failed("the image cannot be removed", fault);
  return {};
}

core::Result<msg::Volume> Qcow2Store::clone(const CloneRequest& request) {
  msg::Volume volume{.node_id = request.node_id,
                     .kernel = request.image.kernel,
                     .initramfs = request.image.initramfs};
  // An image that is a kernel alone runs from memory: no disk of its own.
  if (request.image.disk.empty() && !request.image.kernel.empty()) return volume;
  const fs::path path = volumes_ / (request.node_id.value + volume_ending);
  volume.path = path;
  volume.format = "qcow2";
  std::error_code fault;
  if (fs::exists(path, fault)) return volume;
  const fs::path fresh = path.string() + ".new";
  const std::uint64_t bytes = std::max(request.disk_gb << 30, request.image_bytes);
  std::vector<std::string> argv = {"qemu-img", "create", "-q", "-f", "qcow2"};
  if (!request.image.disk.empty())
    argv.insert(argv.end(), {"-b", request.image.disk, "-F", request.image_format});
  argv.insert(argv.end(), {fresh, std::to_string(bytes)});
  auto made = core::must_run_child({.argv = argv, .deadline = tool_deadline});
  if (!made) {
    // A tenant is told of the error; what the tool says names our files.
    core::log::warning("volume_not_made",
                       {{"node", request.node_id.value}, {"reason", made.error().detail}});
    return core::refuse(made.error().code, "the volume cannot be made");
  }
  sync(fresh);
  fs::rename(fresh, path, fault);
  if (fault) return std::unexpected(failed("the volume cannot be put in place", fault).error());
  sync(volumes_);
  return volume;
}

core::Result<void> Qcow2Store::remove_volume(const msg::NodeId& node_id) {
  std::error_code fault;
  fs::remove(volumes_ / (node_id.value + volume_ending), fault);
  if (fault) return failed("the volume cannot be removed", fault);
  return {};
}

core::Result<std::vector<msg::NodeId>> Qcow2Store::list_volumes() {
  std::error_code fault;
  std::vector<msg::NodeId> nodes;
  for (const auto& entry : fs::directory_iterator(volumes_, fault))
    if (entry.path().extension() == volume_ending) nodes.push_back({entry.path().stem().string()});
  if (fault) return std::unexpected(failed("the volumes cannot be listed", fault).error());
  return nodes;
}

}  // namespace nucleus::image_store

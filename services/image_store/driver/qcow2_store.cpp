#include "services/image_store/driver/qcow2_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "services/image_store/driver/chunk_lists.hpp"
#include "services/image_store/driver/qcow2_overlay.hpp"
#include "services/image_store/driver/qemu_check.hpp"

namespace nucleus::image_store {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds image_check_deadline{600'000};  // it reads all tables
constexpr const char* volume_ending = ".qcow2";
constexpr const char* layer_ending = ".layer";
constexpr const char* unfinished_ending = ".new";

/// For hypervisors, which run as other users. Whether they reach the folder is up to its parents.
void make_readable(const fs::path& folder) {
  std::error_code ignored;
  fs::permissions(folder, fs::perms(0755), ignored);
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    fs::permissions(entry.path(), fs::perms(0644), ignored);
}

core::Result<StagedFiles> copy_files(const StageRequest& request, const fs::path& to) {
  const auto& from = request.from;
  StagedFiles staged;
  for (const auto& [path, name, digest] :
       {std::tuple{&from.kernel, "kernel", &staged.kernel},
        std::tuple{&from.initramfs, "initramfs", &staged.initramfs}}) {
    if (path->empty()) continue;
    auto copied = copy_file(*path, to / name, request.limits.size_bytes_max);
    if (!copied) return std::unexpected(copied.error());
    *digest = *copied;
  }
  if (from.disk.empty()) return staged;
  auto placed = place_file(from.disk, to / "disk", request.limits.size_bytes_max, request.is_final);
  if (!placed) return std::unexpected(placed.error());
  auto checked = check_file(to / "disk", request.format, request.limits);
  if (!checked) return std::unexpected(checked.error());
  if (auto same = check_expected(*checked, expected_of(request)); !same)
    return std::unexpected(same.error());
  if (request.format == msg::ImageFormat::qcow2)
    if (auto sound = check_by_qemu_img(to / "disk", image_check_deadline); !sound)
      return std::unexpected(sound.error());
  staged.disk = *checked;
  // What is missing is made at the first request.
  if (auto listed = make_chunk_list(to / "disk"); !listed)
    core::log::warning("chunk_list_not_made", {{"reason", listed.error().detail}});
  return staged;
}

}  // namespace

Qcow2Store::Qcow2Store(fs::path images, fs::path volumes)
    : images_{std::move(images)}, volumes_{std::move(volumes)} {}

fs::path Qcow2Store::disk_of(const msg::NodeId& node_id) const {
  return volumes_ / (node_id.value + volume_ending);
}

/// Beside the disks: a rename puts a disk there.
fs::path Qcow2Store::layer_of(const std::string& folder) const {
  return volumes_ / (folder + layer_ending);
}

core::Result<StagedFiles> Qcow2Store::stage(const StageRequest& request) {
  {
    const std::scoped_lock lock{mutex_};
    staging_.insert(request.folder);
  }
  auto checked = copy_in(request);
  const std::scoped_lock lock{mutex_};
  staging_.erase(request.folder);
  return checked;
}

core::Result<StagedFiles> Qcow2Store::copy_in(const StageRequest& request) {
  const fs::path target = images_ / request.folder;
  const fs::path unfinished = target.string() + unfinished_ending;
  std::error_code fault;
  std::error_code ignored;
  fs::remove_all(unfinished, ignored);
  fs::create_directories(unfinished, fault);
  if (fault) return core::refuse_fault("cannot create the image's folder", fault);
  auto checked = copy_files(request, unfinished);
  if (checked) {
    make_readable(unfinished);
    core::sync_path(unfinished);
    fs::rename(unfinished, target, fault);
    if (fault) checked = core::refuse_fault("cannot put the image in place", fault);
  }
  if (!checked)
    fs::remove_all(unfinished, ignored);
  else
    core::sync_path(images_);
  return checked;
}

core::Result<void> Qcow2Store::remove_unfinished() {
  std::error_code fault;
  if (!fs::exists(images_, fault)) return {};
  const std::scoped_lock lock{mutex_};
  for (const auto& entry : fs::directory_iterator(images_, fault)) {
    const auto& path = entry.path();
    std::error_code ignored;
    if (path.extension() == unfinished_ending && !staging_.contains(path.stem().string()))
      fs::remove_all(path, ignored);
  }
  if (fault) return core::refuse_fault("cannot list the images", fault);
  return {};
}

ImageFiles Qcow2Store::files_of(const StoredImage& image) const {
  const auto path = [&](bool is_there, const char* name) {
    return is_there ? (images_ / image.folder / name).string() : std::string();
  };
  return {.disk = path(image.has_disk, "disk"),
          .kernel = path(image.has_kernel, "kernel"),
          .initramfs = path(image.has_initramfs, "initramfs")};
}

core::Result<void> Qcow2Store::remove_image(const std::string& folder) {
  std::error_code fault;
  fs::remove_all(images_ / folder, fault);
  if (fault) return core::refuse_fault("cannot remove the image", fault);
  fs::remove(layer_of(folder).string() + unfinished_ending, fault);
  if (!fault) fs::remove(layer_of(folder), fault);
  if (fault) return core::refuse_fault("cannot remove the layer", fault);
  return {};
}

core::Result<msg::Volume> Qcow2Store::clone(const CloneRequest& request) {
  msg::Volume volume{.node_id = request.node_id,
                     .kernel = request.image.kernel,
                     .initramfs = request.image.initramfs};
  volume.disk_bytes = disk_bytes_of(request);
  if (volume.disk_bytes == 0) return volume;
  const fs::path path = disk_of(request.node_id);
  volume.path = path;
  volume.format = "qcow2";
  std::error_code fault;
  if (fs::exists(path, fault)) return volume;
  fs::create_directories(volumes_, fault);
  if (fault) return core::refuse_fault("cannot create the volumes' folder", fault);
  const fs::path unfinished = path.string() + unfinished_ending;
  if (auto made = make_overlay(unfinished, {.backing = request.image.disk,
                                            .backing_format = request.image_format,
                                            .disk_bytes = volume.disk_bytes});
      !made) {
    // The node's owner sees the error, and the tool's message names files of the store.
    core::log::warning("volume_not_made",
                       {{"node", request.node_id.value}, {"reason", made.error().detail}});
    return core::refuse(made.error().code, "the volume cannot be made");
  }
  core::sync_path(unfinished);
  fs::rename(unfinished, path, fault);
  if (fault) return core::refuse_fault("cannot put the volume in place", fault);
  core::sync_path(volumes_);
  return volume;
}

core::Result<void> Qcow2Store::remove_volume(const msg::NodeId& node_id) {
  const auto disk = disk_of(node_id);
  std::error_code fault;
  fs::remove(next_of(disk), fault);  // of work that was interrupted
  if (fault) return core::refuse_fault("cannot remove the volume", fault);
  fs::remove(msg::firmware_variables_of(disk), fault);  // a host that uses it in place made it
  if (!fault) fs::remove(disk, fault);
  if (fault) return core::refuse_fault("cannot remove the volume", fault);
  return {};
}

}  // namespace nucleus::image_store

// The generations of disks in a store of plain files. A layer is the file that was the disk: it is
// renamed, and an empty file over it takes its place. Each step may be the last one of a process.
#include <csignal>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/image_store/driver/qcow2_overlay.hpp"
#include "services/image_store/driver/qcow2_store.hpp"

namespace nucleus::image_store {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds copy_deadline{3'600'000};

/// The node's owner sees the error, and a tool's message names files of the store.
core::Error hidden(const msg::NodeId& node_id, const core::Error& error) {
  core::log::warning("disk_not_changed", {{"node", node_id.value}, {"reason", error.detail}});
  return {.code = error.code == ErrorCode::no_capacity ? error.code : ErrorCode::internal,
          .detail = error.code == ErrorCode::no_capacity ? "the image store's disk is full"
                                                         : "the disk cannot be changed"};
}

std::string end_of(const core::ChildOutput& output) {
  return core::shown(output.end) + ": " + output.errors;
}

}  // namespace

core::Result<std::uint64_t> Qcow2Store::seal(const SealRequest& request) {
  const std::scoped_lock lock{disks_mutex_};
  const auto disk = disk_of(request.node_id);
  const auto next = next_of(disk);
  const auto layer = layer_of(request.folder);
  std::error_code fault;
  if (!fs::exists(layer, fault)) {
    if (auto made = make_overlay(
            next, {.backing = layer, .backing_format = "qcow2", .disk_bytes = request.disk_bytes});
        !made) {
      fs::remove(next, fault);
      return std::unexpected(hidden(request.node_id, made.error()));
    }
    core::sync_path(next);
    core::sync_path(disk);
    core::sync_path(volumes_);
    fs::rename(disk, layer, fault);
    if (fault) {
      const auto error = core::refuse_fault("cannot rename the disk", fault).error();
      fs::remove(next, fault);
      return std::unexpected(hidden(request.node_id, error));
    }
    core::sync_path(volumes_);
  }
  if (fs::exists(next, fault))
    if (auto placed = put_in_place(next, disk); !placed) return std::unexpected(placed.error());
  const auto size = fs::file_size(layer, fault);
  if (fault)
    return core::refuse(ErrorCode::unavailable, "cannot read the layer: " + fault.message());
  return size;
}

core::Result<void> Qcow2Store::roll_back(const RollBackRequest& request) {
  const std::scoped_lock lock{disks_mutex_};
  const auto disk = disk_of(request.node_id);
  const auto next = next_of(disk);
  const bool is_image = request.folder.empty();
  std::error_code fault;
  auto made =
      make_overlay(next, {.backing = is_image ? request.image : layer_of(request.folder).string(),
                          .backing_format = is_image ? request.image_format : "qcow2",
                          .disk_bytes = request.disk_bytes});
  if (made) {
    core::sync_path(next);
    fs::rename(next, disk, fault);
    if (fault) made = core::refuse_fault("cannot rename the disk", fault);
  }
  if (!made) {
    fs::remove(next, fault);
    return std::unexpected(hidden(request.node_id, made.error()));
  }
  core::sync_path(volumes_);
  return {};
}

/// The disk is away until this succeeds.
core::Result<void> Qcow2Store::put_in_place(const fs::path& next, const fs::path& disk) const {
  std::error_code fault;
  fs::rename(next, disk, fault);
  if (fault)
    return core::refuse(ErrorCode::unavailable, "cannot put the disk in place: " + fault.message());
  core::sync_path(volumes_);
  return {};
}

/// A layer that travelled names no other file. Disks of the store continue a copy that does; the
/// layer itself stays as hosts know it.
core::Result<void> Qcow2Store::adopt(const AdoptRequest& request) {
  const std::scoped_lock lock{disks_mutex_};
  const auto layer = layer_of(request.folder);
  const fs::path unfinished = layer.string() + ".new";
  const auto received = images_ / request.folder / "disk";
  const bool is_first = request.parent_folder.empty();
  const auto parent = is_first ? request.image : layer_of(request.parent_folder).string();
  std::error_code fault;
  if (fs::exists(layer, fault)) return {};
  fs::create_directories(volumes_, fault);
  if (!fault) fs::remove(unfinished, fault);
  if (fault) return core::refuse_fault("cannot adopt the layer", fault);
  core::Result<std::string> made = core::must_run_child(
      {.argv = {"cp", "--reflink=auto", "--sparse=always", "--", received, unfinished},
       .deadline = copy_deadline});
  fs::permissions(unfinished, fs::perms(0644), fault);
  if (made && !parent.empty())
    made = core::must_run_child(
        {.argv = {"qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", parent, "-F",
                  is_first ? request.image_format : "qcow2", unfinished},
         .deadline = copy_deadline});
  if (made) {
    core::sync_path(unfinished);
    fs::rename(unfinished, layer, fault);
    if (fault) made = core::refuse_fault("cannot rename the layer", fault);
  }
  if (!made) {
    core::log::warning("disk_not_changed",
                       {{"folder", request.folder}, {"reason", made.error().detail}});
    fs::remove(unfinished, fault);
    return core::refuse(ErrorCode::unavailable, "the layer cannot be put in place");
  }
  core::sync_path(volumes_);
  return {};
}

core::Result<std::uint64_t> Qcow2Store::flatten(const FlattenRequest& request) {
  std::error_code fault;
  fs::remove(request.to, fault);
  const auto made = core::run_child(
      {.argv = {"qemu-img", "convert", "-q", "-f", "qcow2", "-O", "qcow2", layer_of(request.folder),
                request.to},
       .deadline = request.deadline,
       .output_bytes_max = 4096,
       .confinement = core::Confinement{
           .memory_bytes = 2ULL << 30,
           .cpu_s = std::chrono::duration_cast<std::chrono::seconds>(request.deadline).count(),
           .file_bytes_max = request.size_bytes_max}});
  if (!made) return std::unexpected(made.error());
  const auto size = fs::file_size(request.to, fault);
  if (made->end == core::exited(0) && !fault) {
    core::sync_path(request.to);
    return size;
  }
  core::log::warning("disk_not_flattened", {{"folder", request.folder}, {"end", end_of(*made)}});
  fs::remove(request.to, fault);
  if (made->end == core::signalled(SIGXFSZ) || size + (1 << 20) > request.size_bytes_max)
    return std::unexpected(msg::invalid("size",
                                        "the image would be larger than its project has "
                                        "room for"));
  return core::refuse(ErrorCode::internal, "the disk cannot be read or the image written");
}

}  // namespace nucleus::image_store

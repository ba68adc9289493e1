// Merges layers in a store of plain files. A layer is copied, the copy takes over what lies between
// it and its new parent, and is renamed over the layer: before and after that, a disk which
// continues it finds the same content. So each step may be the last one of a process, and all of
// them may be repeated.
#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/image_store/driver/qcow2_store.hpp"

namespace nucleus::image_store {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

/// Of a layer's file, which also has tables.
std::uint64_t layer_bytes_max(const MergeRequest& request) {
  return request.disk_bytes + request.disk_bytes / 16 + (64ULL << 20);
}

core::Result<void> copy_layer(const fs::path& from, const fs::path& to,
                              std::chrono::milliseconds deadline) {
  std::error_code fault;
  fs::remove(to, fault);
  const auto made = core::must_run_child(
      {.argv = {"cp", "--reflink=auto", "--sparse=always", "--", from, to}, .deadline = deadline});
  if (!made) return std::unexpected(made.error());
  fs::permissions(to, fs::perms(0644), fault);
  return {};
}

/// Its guest wrote what it is merged from.
core::Result<void> take_over(const fs::path& layer, const MergeRequest& request,
                             const std::string& parent, const std::string& parent_format) {
  std::vector<std::string> argv = {"qemu-img", "rebase", "-q", "-f", "qcow2", "-b", parent};
  if (!parent.empty()) argv.insert(argv.end(), {"-F", parent_format});
  argv.push_back(layer);
  const auto done = core::run_child(
      {.argv = std::move(argv),
       .deadline = request.deadline,
       .output_bytes_max = 4096,
       .confinement = core::Confinement{
           .memory_bytes = 2ULL << 30,
           .cpu_s = std::chrono::duration_cast<std::chrono::seconds>(request.deadline).count(),
           .file_bytes_max = layer_bytes_max(request)}});
  if (!done) return std::unexpected(done.error());
  if (done->end == core::exited(0)) return {};
  return core::refuse(ErrorCode::internal, core::shown(done->end) + ": " + done->errors);
}

}  // namespace

core::Result<FileDigest> Qcow2Store::merge(const MergeRequest& request) {
  const std::scoped_lock lock{merges_mutex_};
  auto merged = merge_layer(request);
  if (merged && !request.sent_folder.empty()) merged = put_sent_copy(request);
  if (merged) return merged;
  core::log::warning("layers_not_merged",
                     {{"folder", request.folder}, {"reason", merged.error().detail}});
  // The node's owner sees the error, and a tool's message names files of the store.
  return core::refuse(merged.error().code, "the generations cannot be merged");
}

core::Result<FileDigest> Qcow2Store::merge_layer(const MergeRequest& request) const {
  const auto layer = layer_of(request.folder);
  const fs::path unfinished = layer.string() + ".new";
  const bool is_first = request.parent_folder.empty();
  const auto parent = is_first ? request.image : layer_of(request.parent_folder).string();
  std::error_code fault;
  auto made = copy_layer(layer, unfinished, request.deadline);
  if (made)
    made = take_over(unfinished, request, parent, is_first ? request.image_format : "qcow2");
  if (made) {
    core::sync_path(unfinished);
    fs::rename(unfinished, layer, fault);
    if (fault) made = core::refuse_fault("cannot rename the layer", fault);
  }
  if (!made) {
    fs::remove(unfinished, fault);
    return std::unexpected(made.error());
  }
  core::sync_path(volumes_);
  const auto size = fs::file_size(layer, fault);
  if (fault) return core::refuse_fault("cannot read the layer", fault);
  return FileDigest{.size_bytes = size};
}

/// The merged layer as hosts read it: it names no other file.
core::Result<FileDigest> Qcow2Store::put_sent_copy(const MergeRequest& request) {
  const auto target = images_ / request.sent_folder;
  const fs::path unfinished = target.string() + ".new";
  {
    const std::scoped_lock lock{mutex_};
    staging_.insert(request.sent_folder);
  }
  std::error_code fault;
  fs::remove_all(unfinished, fault);
  fs::remove_all(target, fault);
  fs::create_directories(unfinished, fault);
  auto made = fault ? core::refuse_fault("cannot create the layer's folder", fault)
                    : copy_layer(layer_of(request.folder), unfinished / "disk", request.deadline);
  if (made)
    if (auto stripped = core::must_run_child({.argv = {"qemu-img", "rebase", "-q", "-u", "-f",
                                                       "qcow2", "-b", "", unfinished / "disk"},
                                              .deadline = request.deadline});
        !stripped)
      made = std::unexpected(stripped.error());
  core::Result<FileDigest> digest;
  if (made) {
    const auto checked = check_file(
        unfinished / "disk", msg::ImageFormat::qcow2,
        {.size_bytes_max = layer_bytes_max(request), .virtual_bytes_max = request.disk_bytes});
    if (checked)
      digest = FileDigest{.size_bytes = checked->size_bytes, .sha256 = checked->sha256};
    else
      made = std::unexpected(checked.error());
  }
  if (made) {
    fs::permissions(unfinished, fs::perms(0755), fault);
    core::sync_path(unfinished / "disk");
    core::sync_path(unfinished);
    fs::rename(unfinished, target, fault);
    if (fault) made = core::refuse_fault("cannot put the layer in place", fault);
  }
  const std::scoped_lock lock{mutex_};
  staging_.erase(request.sent_folder);
  if (!made) {
    fs::remove_all(unfinished, fault);
    return std::unexpected(made.error());
  }
  core::sync_path(images_);
  return digest;
}

}  // namespace nucleus::image_store

#include "services/provisioner/driver/disk_layers.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/file_digest.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds image_tool_timeout{20'000};
constexpr const char* new_ending = ".new";
constexpr std::string_view sealed_ending = ".sealed";

std::string continues_path(const std::string& directory) {
  return directory + "/continues";
}

/// The content id of the layer below the top, or below the sealed disk; empty = the base.
std::string continued_by_disk(const std::string& directory) {
  std::ifstream file(continues_path(directory), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_there(const std::string& path) {
  std::error_code fault;
  return fs::exists(path, fault);
}

/// The sealed disk in this directory; empty = there is none.
std::string any_sealed(const std::string& directory) {
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(layers_directory(directory), fault))
    if (entry.path().extension() == sealed_ending) return entry.path();
  return {};
}

bool is_published(const std::string& sealed) {
  std::error_code fault;
  const auto links = fs::hard_link_count(sealed, fault);
  return !fault && links > 1;
}

core::Result<void> remove_file(const std::string& path) {
  std::error_code fault;
  if (fs::remove(path, fault)) core::sync_path(fs::path(path).parent_path());
  if (fault) return core::refuse_fault("cannot remove a file of the disk", fault);
  return {};
}

core::Result<void> rename_file(const std::string& from, const std::string& to) {
  std::error_code fault;
  fs::rename(from, to, fault);
  if (fault) return core::refuse_fault("cannot rename a file of the disk", fault);
  core::sync_path(fs::path(to).parent_path());
  core::sync_path(fs::path(from).parent_path());
  return {};
}

/// Tops that earlier releases made name their base. The tool also fails while QEMU has the file
/// open. It runs as QEMU's user, since what it reads was written by QEMU; that user may not reach
/// the file from the root.
core::Result<void> strip_base(const std::string& top, const QemuUser& user) {
  const fs::path path = top;
  std::vector<std::string> argv = {"env", "-C", path.parent_path()};
  if (user.uid != 0 && lchown(top.c_str(), user.uid, user.gid) != 0)  // it may never have run
    return core::refuse_errno("cannot give the disk to QEMU's user");
  if (user.uid != 0)
    argv.insert(argv.end(), {"setpriv", "--reuid", std::to_string(user.uid), "--regid",
                             std::to_string(user.gid), "--clear-groups", "--no-new-privs"});
  argv.insert(argv.end(), {"qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "", path.filename()});
  const auto done = core::must_run_child({.argv = argv, .deadline = image_tool_timeout});
  if (done) return {};
  core::log::warning("disk_not_sealed", {{"disk", top}, {"reason", done.error().detail}});
  return core::refuse(done.error().code, "the disk cannot be sealed");
}

core::Result<void> make_top(const LocalDisk& disk) {
  const std::string made = disk.path + new_ending;
  const auto done = core::must_run_child(
      {.argv = {"qemu-img", "create", "-q", "-f", "qcow2", made, std::to_string(disk.bytes)},
       .deadline = image_tool_timeout});
  if (!done) return core::refuse(done.error().code, "the disk cannot be made");
  return put_in_place(made, disk.path);
}

core::Result<void> set_continued(const std::string& directory, const std::string& content_id) {
  if (continued_by_disk(directory) == content_id) return {};
  auto done = core::replace_file(continues_path(directory), content_id, {.is_durable = true});
  core::sync_path(directory);
  return done;
}

core::Result<void> remove_other_layers(const HostVolume& volume) {
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(layers_directory(volume.directory), fault))
    if (std::ranges::none_of(volume.disk->layers, [&](const DiskLayer& layer) {
          return entry.path() == fs::path(layer.file.path);
        }))
      if (auto done = remove_file(entry.path()); !done) return done;
  return {};
}

/// Only by hand: each step leaves one of both.
std::unexpected<core::Error> there_twice() {
  return core::refuse(ErrorCode::wrong_state, "its host has two disks of it: see layers/*.sealed");
}

}  // namespace

core::Result<void> make_volume_directory(const std::string& path) {
  std::error_code fault;
  fs::create_directories(path, fault);
  if (!fault) fs::permissions(path, fs::perms(0711), fault);
  if (fault) return core::refuse_fault("cannot create a directory of this host's volumes", fault);
  return {};
}

core::Result<void> put_in_place(const std::string& from, const std::string& to) {
  core::sync_path(from);
  return rename_file(from, to);
}

core::Result<std::string> seal_disk(const std::string& directory, const std::string& save_id,
                                    const QemuUser& user) {
  const auto top = top_path(directory);
  const auto wanted = sealed_path(directory, save_id);
  const auto earlier = any_sealed(directory);
  if (earlier == wanted && !is_there(top)) return wanted;
  const bool is_saved = !earlier.empty() && is_published(earlier);
  if (is_there(top)) {
    if (!earlier.empty() && !is_saved) return there_twice();
    if (auto done = strip_base(top, user); !done) return std::unexpected(done.error());
    if (auto done = make_volume_directory(layers_directory(directory)); !done)
      return std::unexpected(done.error());
    if (auto done = is_saved ? remove_file(earlier) : core::Result<void>{}; !done)
      return std::unexpected(done.error());
    if (auto done = put_in_place(top, wanted); !done) return std::unexpected(done.error());
    return wanted;
  }
  if (earlier.empty()) return core::refuse(ErrorCode::not_found, "its host has no disk of it");
  if (is_saved)
    return core::refuse(ErrorCode::not_found, "nothing was written since its disk was saved");
  if (auto done = rename_file(earlier, wanted); !done) return std::unexpected(done.error());
  return wanted;
}

core::Result<std::string> find_sealed(const std::string& directory, const std::string& save_id) {
  if (auto sealed = sealed_path(directory, save_id); is_there(sealed)) return sealed;
  return core::refuse(ErrorCode::not_found, "no disk is sealed by this save");
}

core::Result<std::uint64_t> keep_as_layer(const std::string& directory, const std::string& save_id,
                                          const std::string& content_id) {
  const auto layer = layer_path(directory, content_id);
  std::error_code fault;
  if (const auto sealed = find_sealed(directory, save_id)) {
    const std::string made = layer + new_ending;
    if (!fs::equivalent(*sealed, layer, fault)) {
      if (auto done = remove_file(made); !done) return std::unexpected(done.error());
      fs::create_hard_link(*sealed, made, fault);
      if (fault) return core::refuse_fault("cannot keep the sealed disk as a layer", fault);
      if (auto done = rename_file(made, layer); !done) return std::unexpected(done.error());
    }
  } else if (!is_there(layer)) {
    return std::unexpected(sealed.error());
  }
  const auto size = fs::file_size(layer, fault);
  if (fault) return core::refuse_fault("cannot read a layer of the disk", fault);
  return size;
}

core::Result<void> find_layer_here(const HostVolume& volume) {
  const auto& layers = volume.disk->layers;
  if (layers.empty() || is_there(layers.back().file.path)) return {};
  const auto& newest = layers.back();
  const auto sealed = any_sealed(volume.directory);
  std::error_code fault;
  if (sealed.empty() || newest.file.sha256.empty() ||
      fs::file_size(sealed, fault) != newest.file.size_bytes)
    return {};
  const auto digest = digest_of(sealed);
  if (!digest || digest->sha256 != newest.file.sha256) return {};
  const auto kept = keep_as_layer(volume.directory, fs::path(sealed).stem(), newest.content_id);
  if (!kept) return std::unexpected(kept.error());
  return {};
}

core::Result<void> settle_disk(const HostVolume& volume) {
  const auto& disk = *volume.disk;
  const auto newest = disk.layers.empty() ? std::string() : disk.layers.back().content_id;
  auto sealed = any_sealed(volume.directory);
  if (!sealed.empty() && is_published(sealed)) {
    if (auto done = remove_file(sealed); !done) return done;
    sealed.clear();
  }
  const bool has_top = is_there(disk.path);
  if (has_top && !sealed.empty()) return there_twice();
  const auto kept = has_top ? disk.path : sealed;
  const auto continued = continued_by_disk(volume.directory);
  if (!kept.empty() && continued != newest) {
    core::log::warning("disk_discarded", {{"node", volume.node_id.value},
                                          {"continued", continued.empty() ? "base" : continued},
                                          {"continues", newest.empty() ? "base" : newest}});
    if (auto done = remove_file(kept); !done) return done;
  } else if (!sealed.empty()) {
    if (auto done = rename_file(sealed, disk.path); !done) return done;
  }
  if (auto done = remove_other_layers(volume); !done) return done;
  if (is_there(disk.path)) return {};
  if (auto done = set_continued(volume.directory, newest); !done) return done;
  return make_top(disk);
}

}  // namespace nucleus::provisioner

#include "services/provisioner/driver/disk_layers.hpp"

#include <algorithm>
#include <filesystem>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/disk_files.hpp"
#include "services/provisioner/driver/disk_overlays.hpp"
#include "services/provisioner/driver/file_digest.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr const char* new_ending = ".new";

/// The sealed disk in this directory; empty = there is none.
std::string any_sealed(const std::string& directory) {
  const auto files = sealed_files(directory);
  return files.empty() ? std::string() : files.front();
}

bool is_published(const std::string& directory, const std::string& sealed) {
  return !content_of_file(directory, sealed).empty();
}

/// Sealed by this save, and not the top of anything that was written later by another name.
bool is_sealed_already(const std::string& directory, const std::string& wanted) {
  const auto files = disk_files(directory);
  return is_there(wanted) &&
         (files.empty() || std::ranges::any_of(files, [&](const DiskFile& file) {
            return is_same_file(file.path, wanted);
          }));
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
  if (is_sealed_already(directory, wanted)) return wanted;
  if (auto gathered = gather_disk(directory, user); !gathered)
    return std::unexpected(gathered.error());
  const auto earlier = any_sealed(directory);
  const bool is_saved = !earlier.empty() && is_published(directory, earlier);
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
    if (!is_same_file(*sealed, layer)) {
      if (auto done = remove_file(made); !done) return std::unexpected(done.error());
      if (auto done = link_file(*sealed, made); !done) return std::unexpected(done.error());
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

core::Result<void> settle_disk(const HostVolume& volume, const QemuUser& user) {
  if (auto gathered = gather_disk(volume.directory, user); !gathered) return gathered;
  const auto& disk = *volume.disk;
  const auto newest = disk.layers.empty() ? std::string() : disk.layers.back().content_id;
  auto sealed = any_sealed(volume.directory);
  if (!sealed.empty() && is_published(volume.directory, sealed)) {
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
  return make_disk_file(disk.path, disk.bytes, user);
}

}  // namespace nucleus::provisioner

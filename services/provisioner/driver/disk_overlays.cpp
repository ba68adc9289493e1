#include "services/provisioner/driver/disk_overlays.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/disk_files.hpp"
#include "services/provisioner/driver/disk_layers.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds merge_timeout{1'800'000};
constexpr std::size_t overlays_max = 16;  // then a disk whose files cannot be merged is not saved
constexpr std::uint64_t more_than_any_disk = std::uint64_t{1} << 60;
constexpr std::chrono::milliseconds strip_timeout{20'000};

/// `not_found` is for a missing disk: a missing domain is `unavailable`.
core::Error not_sealed(const core::Error& error) {
  return {.code = error.code == ErrorCode::not_found ? ErrorCode::unavailable : error.code,
          .detail = "the disk cannot be sealed: " + error.detail};
}

/// How many of the files, from the oldest on, are published.
std::size_t published_count(const std::string& directory, const std::vector<DiskFile>& files) {
  for (auto count = files.size(); count > 0; --count)
    if (!content_of_file(directory, files[count - 1].path).empty()) return count;
  return 0;
}

/// The disk's files as the domain has them. An overlay that was made for it, and that it has not
/// taken, is removed.
core::Result<std::vector<DiskFile>> files_in_use(const RunningDisk& disk, Hypervisor& hypervisor) {
  auto files = disk_files(disk.directory);
  if (files.empty()) return core::refuse(ErrorCode::not_found, "its host has no disk of it");
  const auto used = hypervisor.disk_files(disk.domain);
  if (!used) return std::unexpected(not_sealed(used.error()));
  const auto& top = used->front();
  if (top == files.back().path) return files;
  if (files.size() < 2 || top != files[files.size() - 2].path)
    return core::refuse(ErrorCode::wrong_state, "the disk cannot be sealed: its domain writes to " +
                                                    fs::path(top).filename().string() +
                                                    ", which is not the newest file");
  if (auto unused = strip_base(files.back().path, disk.user); !unused)
    return std::unexpected(unused.error());
  if (auto removed = remove_file(files.back().path); !removed)
    return std::unexpected(removed.error());
  files.pop_back();
  return files;
}

/// The sealed file has one name of a save: this one's. Those of saves that ended are removed.
core::Result<std::string> name_sealed(const std::string& directory, const std::string& save_id,
                                      const std::string& file) {
  auto wanted = sealed_path(directory, save_id);
  for (const auto& sealed : sealed_files(directory)) {
    auto done = is_same_file(sealed, file) ? rename_file(sealed, wanted) : remove_file(sealed);
    if (!done) return std::unexpected(done.error());
  }
  if (is_there(wanted)) return wanted;
  if (auto linked = link_file(file, wanted); !linked) return std::unexpected(linked.error());
  return wanted;
}

bool names_a_base(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> header{};
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  return !std::ranges::all_of(header | std::views::drop(8), [](char byte) { return byte == 0; });
}

/// QEMU writes the name of the file below it into a top when it merges files. It has the sealed
/// file open, read-only and locked, and never reads the header again.
core::Result<void> strip_sealed(const RunningDisk& disk, const std::string& path) {
  if (!names_a_base(path)) return {};
  const auto image = nlohmann::json{
      {"driver", "qcow2"},
      {"file",
       {{"driver", "file"}, {"filename", fs::path(path).filename().string()}, {"locking", "off"}}},
      {"backing", nullptr}};
  const auto done = run_image_tool(
      disk.directory, {"rebase", "-u", "-b", "", "json:" + image.dump()}, disk.user, strip_timeout);
  if (!done) return std::unexpected(not_sealed(done.error()));
  core::sync_path(path);
  return {};
}

core::Result<void> add_overlay(const RunningDisk& disk, const DiskFile& top, Hypervisor& hypervisor,
                               std::int64_t now_unix_s) {
  const auto overlay = overlay_path(disk.directory, std::max(now_unix_s, top.added_unix_s + 1));
  if (auto made = make_disk_file(overlay, disk.bytes, disk.user); !made) return made;
  if (auto added = hypervisor.add_overlay(disk.domain, overlay); !added)
    return std::unexpected(not_sealed(added.error()));
  return {};
}

/// Removes published files that the domain does not use any more, but for the newest, which says
/// that all before it are published. The layers that they are have links of their own.
core::Result<void> remove_unused(const std::vector<DiskFile>& published,
                                 const std::vector<std::string>& used) {
  for (std::size_t i = 0; i + 1 < published.size(); ++i)
    if (std::ranges::find(used, published[i].path) == used.end())
      if (auto done = remove_file(published[i].path); !done) return done;
  return {};
}

/// A layer never changes: what is to be written is none any more. The next start reads it from the
/// image store.
core::Result<void> unlink_layer(const std::string& directory, const std::string& file) {
  const auto content = content_of_file(directory, file);
  if (content.empty()) return {};
  return remove_file(layer_path(directory, content));
}

/// Merges the published files of the domain into the oldest of them, if there are many. All of them
/// lie below the top.
core::Result<void> merge_published(const RunningDisk& disk, std::vector<DiskFile> published,
                                   Hypervisor& hypervisor) {
  const auto used = hypervisor.disk_files(disk.domain);
  if (!used) return std::unexpected(not_sealed(used.error()));
  if (auto removed = remove_unused(published, *used); !removed) return removed;
  std::vector<std::string> merged;
  for (const auto& file : published)
    if (std::ranges::find(*used, file.path) != used->end()) merged.push_back(file.path);
  if (merged.size() <= overlays_kept_max) return {};
  if (auto unlinked = unlink_layer(disk.directory, merged.front()); !unlinked) return unlinked;
  const auto done =
      hypervisor.merge_overlays(disk.domain, {.top = merged.back(), .base = merged.front()});
  if (done) return remove_unused(published, {merged.front()});
  core::log::warning("disk_not_merged", {{"domain", disk.domain}, {"reason", done.error().detail}});
  if (merged.size() < overlays_max) return {};
  return std::unexpected(not_sealed(done.error()));
}

/// Copies what `top` has into `below`. Until `top` is removed, both together have the same content
/// at each point. Neither has its base here: what it lacks is not zero.
core::Result<void> merge_into(const std::string& directory, const DiskFile& below,
                              const DiskFile& top, const QemuUser& user) {
  using nlohmann::json;
  const auto file = [](const std::string& path, const json& backing) {
    return json{{"driver", "qcow2"},
                {"file", {{"driver", "file"}, {"filename", fs::path(path).filename().string()}}},
                {"backing", backing}};
  };
  const json base{{"driver", "null-co"}, {"size", more_than_any_disk}};
  const auto chain = file(top.path, file(below.path, base));
  const auto done = run_image_tool(directory, {"commit", "-q", "-d", "json:" + chain.dump()}, user,
                                   merge_timeout);
  if (!done) {
    core::log::warning("disk_not_merged", {{"disk", top.path}, {"reason", done.error().detail}});
    return core::refuse(done.error().code, "the files of the disk cannot be merged");
  }
  core::sync_path(below.path);
  return remove_file(top.path);
}

/// The content that the rest continues is recorded before the last of them is removed; until then,
/// that one says so.
core::Result<void> drop_published(const std::string& directory, const std::vector<DiskFile>& files,
                                  std::size_t count) {
  if (count == 0) return {};
  if (auto done = set_continued(directory, content_of_file(directory, files[count - 1].path));
      !done)
    return done;
  for (const auto& file : files | std::views::take(count))
    if (auto done = remove_file(file.path); !done) return done;
  return {};
}

}  // namespace

core::Result<std::string> seal_running_disk(const RunningDisk& disk, const std::string& save_id,
                                            Hypervisor& hypervisor, std::int64_t now_unix_s) {
  const auto wanted = sealed_path(disk.directory, save_id);
  if (is_there(wanted)) return wanted;
  if (auto made = make_volume_directory(layers_directory(disk.directory)); !made)
    return std::unexpected(made.error());
  const auto files = files_in_use(disk, hypervisor);
  if (!files) return std::unexpected(files.error());
  const bool has_sealed = files->size() - published_count(disk.directory, *files) > 1;
  if (!has_sealed) {
    if (auto merged = merge_published(disk, {files->begin(), files->end() - 1}, hypervisor);
        !merged)
      return std::unexpected(merged.error());
    if (auto added = add_overlay(disk, files->back(), hypervisor, now_unix_s); !added)
      return std::unexpected(added.error());
  }
  const auto sealed = has_sealed ? (*files)[files->size() - 2].path : files->back().path;
  if (auto stripped = strip_sealed(disk, sealed); !stripped)
    return std::unexpected(stripped.error());
  return name_sealed(disk.directory, save_id, sealed);
}

std::int64_t sealed_unix_s(const std::string& directory, const std::string& save_id) {
  const auto sealed = sealed_path(directory, save_id);
  const auto files = disk_files(directory);
  for (std::size_t i = 1; i < files.size(); ++i)
    if (is_same_file(files[i - 1].path, sealed)) return files[i].added_unix_s;
  return 0;
}

bool has_unpublished_file(const std::string& directory) {
  const auto files = disk_files(directory);
  return published_count(directory, files) < files.size();
}

core::Result<void> gather_disk(const std::string& directory, const QemuUser& user) {
  const auto files = disk_files(directory);
  const auto count = published_count(directory, files);
  const auto is_linked = [&](const std::string& sealed) {
    return std::ranges::any_of(
        files, [&](const DiskFile& file) { return is_same_file(file.path, sealed); });
  };
  const auto sealed = sealed_files(directory);
  const bool is_one_file = files.empty() || (files.size() == 1 && files[0].added_unix_s == 0);
  if (is_one_file && count == 0 && std::ranges::none_of(sealed, is_linked)) return {};
  if (!strip_base(files.back().path, user))
    return core::refuse(ErrorCode::unavailable, "a file of its disk is in use, or damaged");
  for (const auto& path : sealed)
    if (is_linked(path))
      if (auto done = remove_file(path); !done) return done;
  if (auto done = drop_published(directory, files, count); !done) return done;
  for (auto last = files.size() - 1; last > count; --last)
    if (auto done = merge_into(directory, files[last - 1], files[last], user); !done) return done;
  const auto top = top_path(directory);
  if (count == files.size() || files[count].path == top) return {};
  return rename_file(files[count].path, top);
}

}  // namespace nucleus::provisioner

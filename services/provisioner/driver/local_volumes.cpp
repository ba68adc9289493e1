#include "services/provisioner/driver/local_volumes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/digest/digest.hpp"
#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/base_server.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds image_tool_timeout{20'000};
constexpr std::size_t copies_max = 64;
constexpr const char* unfinished = ".new";
constexpr std::uint64_t mebibyte = 1 << 20;

/// Other users may pass through, and list nothing.
core::Result<void> make_directory(const fs::path& path) {
  std::error_code fault;
  fs::create_directories(path, fault);
  if (!fault) fs::permissions(path, fs::perms(0711), fault);
  if (fault) return core::refuse_fault("cannot create a directory of this host's volumes", fault);
  return {};
}

core::Result<void> put_in_place(const fs::path& from, const fs::path& to) {
  core::sync_path(from);
  std::error_code fault;
  fs::rename(from, to, fault);
  if (fault) return core::refuse_fault("cannot put a file in place", fault);
  core::sync_path(to.parent_path());
  return {};
}

std::string sha256_of(const std::string& path) {
  core::Hasher hasher(core::Hasher::Algorithm::sha256);
  std::ifstream file(path, std::ios::binary);
  std::string piece(mebibyte, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0)
    hasher.add(std::string_view(piece).substr(0, static_cast<std::size_t>(file.gcount())));
  return hasher.finish_hex();
}

/// Removes the least recently used copies. One that is needed again is copied again; a domain that
/// runs has its files open.
void prune_copies(const std::string& directory) {
  std::vector<std::pair<fs::file_time_type, fs::path>> copies;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(directory, fault))
    if (const auto used = fs::last_write_time(entry.path(), fault); !fault)
      copies.emplace_back(used, entry.path());
  if (copies.size() <= copies_max) return;
  std::ranges::sort(copies);
  copies.resize(copies.size() - copies_max);
  for (const auto& [used, path] : copies) fs::remove(path, fault);
}

core::Result<void> make_disk(const HostVolume& volume) {
  const auto& disk = *volume.disk;
  std::error_code fault;
  if (fs::exists(disk.path, fault)) return {};
  const std::string made = disk.path + unfinished;
  std::vector<std::string> argv = {"qemu-img", "create", "-q", "-f", "qcow2"};
  // Its base is not opened now; the domain's XML names it as well.
  if (!disk.base_url.empty())
    argv.insert(argv.end(),
                {"-u", "-b", "nbd+unix:///?socket=" + base_socket(volume), "-F", disk.base_format});
  argv.insert(argv.end(), {made, std::to_string(disk.bytes)});
  auto done = core::must_run_child({.argv = argv, .deadline = image_tool_timeout});
  if (!done) return core::refuse(done.error().code, "the disk cannot be made");
  return put_in_place(made, disk.path);
}

core::Result<void> append(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << bytes;
  if (file.flush()) return {};
  return core::refuse_fault("cannot copy a file of the image", {errno, std::generic_category()});
}

/// Copies what is missing, piece by piece: what an earlier call has copied is kept.
core::Result<void> copy_rest(StoreReader& reader, const FileCopy& file, Clock::time_point end) {
  const std::string made = file.path + unfinished;
  const auto size = reader.size_bytes(file.url);
  if (!size) return std::unexpected(size.error());
  std::error_code fault;
  std::uint64_t copied = fs::exists(made, fault) ? fs::file_size(made, fault) : 0;
  while (copied < *size) {
    const auto piece = reader.read(file.url, copied, std::min(range_bytes_max, *size - copied));
    if (!piece) return std::unexpected(piece.error());
    if (auto added = append(made, *piece); !added) return added;
    copied += piece->size();
    if (copied < *size && Clock::now() >= end)
      return core::refuse(ErrorCode::unavailable,
                          "its image is being copied: " + std::to_string(copied / mebibyte) +
                              " of " + std::to_string(*size / mebibyte) + " MiB");
  }
  const bool is_size_right = file.size_bytes == 0 || file.size_bytes == copied;
  if (!is_size_right || (!file.sha256.empty() && file.sha256 != sha256_of(made))) {
    fs::remove(made, fault);
    return core::refuse(ErrorCode::unavailable, "the copy of its image is damaged");
  }
  return put_in_place(made, file.path);
}

}  // namespace

/// Half of a step's time: when it is over, the step fails with the progress as its reason.
LocalVolumes::Options volume_options(const Config& config) {
  return {.volumes_directory = volumes_directory(config),
          .copies_directory = copies_directory(config),
          .ca_file = config.ca_file,
          .user = config.qemu_user,
          .copy_timeout = std::chrono::milliseconds{config.step_timeout_ms / 2}};
}

core::Result<void> LocalVolumes::prepare(const HostVolume& volume) {
  if (volume.ticket.empty())
    return core::refuse(ErrorCode::unavailable, "its volume has no ticket of the image store yet");
  for (const auto& directory : {options_.volumes_directory, options_.copies_directory})
    if (auto made = make_directory(directory); !made) return made;
  const auto end = Clock::now() + options_.copy_timeout;
  StoreReader reader(options_.ca_file, volume.ticket);
  for (const auto& file : volume.copies)
    if (auto copied = copy(reader, file, end); !copied) return copied;
  if (!volume.copies.empty()) prune_copies(options_.copies_directory);
  if (!volume.disk) return {};
  if (auto made = make_directory(volume.directory); !made) return made;
  if (auto made = make_disk(volume); !made) return made;
  if (volume.disk->base_url.empty()) return {};
  // QEMU's own error message would not name the cause.
  if (auto size = reader.size_bytes(volume.disk->base_url); !size)
    return std::unexpected(size.error());
  const std::scoped_lock lock{servers_mutex_};
  stop_base_server(volume.directory);  // one that serves no domain any more may be about to end
  return start_server(volume);
}

core::Result<void> LocalVolumes::copy(StoreReader& reader, const FileCopy& file,
                                      Clock::time_point end) {
  std::error_code fault;
  if (fs::exists(file.path, fault)) {
    fs::last_write_time(file.path, fs::file_time_type::clock::now(), fault);  // recently used
    return {};
  }
  {
    const std::scoped_lock lock{mutex_};
    if (!copying_.insert(file.path).second)
      return core::refuse(ErrorCode::unavailable, "its image is being copied for another node");
  }
  auto done = copy_rest(reader, file, end);
  const std::scoped_lock lock{mutex_};
  copying_.erase(file.path);
  return done;
}

core::Result<void> LocalVolumes::start_server(const HostVolume& volume) {
  started_[volume.directory] = ++now_;
  return start_base_server(volume, options_.ca_file, options_.user);
}

void LocalVolumes::serve(const std::vector<Needed>& needed, std::uint64_t begun, bool is_complete) {
  const std::scoped_lock lock{servers_mutex_};
  std::set<std::string> kept;
  for (const auto& [volume, is_running] : needed) {
    kept.insert(volume.directory);
    if (!is_running) continue;
    shorten_base_log(volume.directory);
    if (is_base_served(volume.directory)) continue;
    const auto started = start_server(volume);
    core::log::warning("base_server_started",
                       {{"node", volume.node_id.value},
                        {"reason", started ? "it did not run" : started.error().detail}});
  }
  if (!is_complete) return;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(options_.volumes_directory, fault)) {
    const auto directory = entry.path().string();
    const auto started = started_.find(directory);
    if (kept.contains(directory) || (started != started_.end() && started->second > begun))
      continue;
    stop_base_server(directory);
    started_.erase(directory);
  }
}

core::Result<void> LocalVolumes::remove(const msg::NodeId& node_id) {
  const fs::path directory = fs::path(options_.volumes_directory) / node_id.value;
  const std::scoped_lock lock{servers_mutex_};
  stop_base_server(directory);
  started_.erase(directory);
  std::error_code fault;
  fs::remove_all(directory, fault);
  if (fault) return core::refuse_fault("the disk cannot be deleted", fault);
  core::sync_path(options_.volumes_directory);
  return {};
}

}  // namespace nucleus::provisioner

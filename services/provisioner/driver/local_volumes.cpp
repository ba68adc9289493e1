#include "services/provisioner/driver/local_volumes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/base_server.hpp"
#include "services/provisioner/driver/disk_layers.hpp"
#include "services/provisioner/driver/disk_overlays.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t copies_max = 64;
constexpr const char* unfinished = ".new";
constexpr std::uint64_t mebibyte = 1 << 20;

std::unexpected<core::Error> in_use() {
  return core::refuse(ErrorCode::unavailable, "another request changes the node's disk");
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
  const auto digest = file.sha256.empty() ? FileDigest{} : digest_of(made).value_or(FileDigest{});
  if (!is_size_right || digest.sha256 != file.sha256) {
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
          .store_url = config.image_store_url,
          .user = config.qemu_user,
          .copy_timeout = std::chrono::milliseconds{config.step_timeout_ms / 2},
          .send_bytes_per_s_max = config.layer_send_bytes_per_s};
}

LocalVolumes::LocalVolumes(Options options, std::shared_ptr<HostChunks> chunks)
    : options_{std::move(options)},
      chunks_{std::move(chunks)},
      sender_{{.ca_file = options_.ca_file, .bytes_per_s_max = options_.send_bytes_per_s_max}} {}

LocalVolumes::Claim LocalVolumes::claim(const msg::NodeId& node_id) {
  const std::scoped_lock lock{claims_->mutex};
  if (!claims_->nodes.insert(node_id).second) return nullptr;
  return {claims_.get(), [claims = claims_, node_id](Claims*) {
            const std::scoped_lock ended{claims->mutex};
            claims->nodes.erase(node_id);
          }};
}

std::string LocalVolumes::directory_of(const msg::NodeId& node_id) const {
  return options_.volumes_directory + "/" + node_id.value;
}

core::Result<void> LocalVolumes::prepare(const HostVolume& volume) {
  if (volume.ticket.empty())
    return core::refuse(ErrorCode::unavailable, "its volume has no ticket of the image store yet");
  const auto claimed = claim(volume.node_id);
  if (!claimed) return in_use();
  for (const auto& directory : {options_.volumes_directory, options_.copies_directory})
    if (auto made = make_volume_directory(directory); !made) return made;
  const auto end = Clock::now() + options_.copy_timeout;
  std::error_code fault;
  const bool is_new = !fs::exists(volume.directory, fault);
  StoreReader reader(options_.ca_file, volume.ticket);
  for (const auto& file : volume.copies)
    if (auto copied = copy(reader, file, end); !copied) return copied;
  if (!volume.copies.empty()) prune_copies(options_.copies_directory);
  if (!volume.disk) return {};
  if (auto made = prepare_disk(reader, volume, end); !made) return made;
  if (volume.disk->base_url.empty()) return {};
  if (auto checked = check_base(reader, volume); !checked) return checked;
  const std::scoped_lock lock{servers_mutex_};
  stop_base_server(volume.directory);  // one that serves no domain any more may be about to end
  // Later starts find on the node's own disk what this one reads.
  if (chunks_ && is_new && volume.disk->layers.empty())
    chunks_->boots().begin(volume.node_id, volume.disk->base_content_id, volume.ticket);
  return start_server(volume);
}

/// QEMU's own error message would not name the cause.
core::Result<void> LocalVolumes::check_base(StoreReader& reader, const HostVolume& volume) {
  const auto& disk = *volume.disk;
  if (chunks_) chunks_->fetcher().add_needed(disk.base_content_id, volume.ticket);
  const auto size = chunks_ ? chunks_->fetcher().size_bytes(disk.base_content_id)
                            : reader.size_bytes(disk.base_url);
  if (!size) return std::unexpected(size.error());
  return {};
}

core::Result<void> LocalVolumes::prepare_disk(StoreReader& reader, const HostVolume& volume,
                                              Clock::time_point end) {
  // It may become the top again, which the domain writes.
  sender_.cancel(volume.node_id);
  digests_.forget(volume.node_id);
  if (auto made = make_volume_directory(volume.directory); !made) return made;
  if (!volume.disk->layers.empty())
    if (auto made = make_volume_directory(layers_directory(volume.directory)); !made) return made;
  if (auto found = find_layer_here(volume); !found) return found;
  for (const auto& layer : volume.disk->layers)
    if (auto copied = copy(reader, layer.file, end); !copied) return copied;
  return settle_disk(volume, options_.user);
}

core::Result<msg::SealedDisk> LocalVolumes::seal(const Claim&, const msg::SealDisk& request) {
  const auto sealed = seal_disk(directory_of(request.node_id), request.save_id, options_.user);
  if (!sealed) return std::unexpected(sealed.error());
  return digest_sealed(request, *sealed);
}

core::Result<msg::SealedDisk> LocalVolumes::seal_running(const Claim&, const msg::SealDisk& request,
                                                         const RunningNode& node) {
  const RunningDisk disk{.directory = directory_of(request.node_id),
                         .domain = node.domain,
                         .bytes = node.disk_bytes,
                         .user = options_.user};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto sealed =
      seal_running_disk(disk, request.save_id, *node.hypervisor,
                        std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (!sealed) return std::unexpected(sealed.error());
  return digest_sealed(request, *sealed);
}

core::Result<msg::SealedDisk> LocalVolumes::digest_sealed(const msg::SealDisk& request,
                                                          const std::string& sealed) {
  const auto digest = digests_.find(request.node_id, sealed);
  if (!digest) return std::unexpected(digest.error());
  if (!*digest) return msg::SealedDisk{};
  return msg::SealedDisk{
      .is_sealed = true,
      .size_bytes = (*digest)->size_bytes,
      .sha256 = (*digest)->sha256,
      .sealed_unix_s = sealed_unix_s(directory_of(request.node_id), request.save_id)};
}

core::Result<msg::LayerSent> LocalVolumes::send_layer(const Claim&, const msg::SendLayer& request) {
  const auto directory = directory_of(request.node_id);
  if (request.content_id.empty()) {
    const auto sealed = find_sealed(directory, request.save_id);
    if (!sealed) return std::unexpected(sealed.error());
    return sender_.send(
        request.node_id, *sealed,
        {.url = (request.url.starts_with('/') ? options_.store_url : "") + request.url,
         .ticket = request.ticket});
  }
  const auto size = keep_as_layer(directory, request.save_id, request.content_id);
  if (!size) return std::unexpected(size.error());
  sender_.cancel(request.node_id);
  return msg::LayerSent{
      .sent_bytes = *size, .is_complete = true, .is_continued = has_unpublished_file(directory)};
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
  return start_base_server(volume, options_.ca_file, options_.user,
                           chunks_ ? BaseSource::host : BaseSource::store);
}

void LocalVolumes::serve(const std::vector<Needed>& needed, std::uint64_t begun, bool is_complete) {
  const std::scoped_lock lock{servers_mutex_};
  std::set<std::string> kept;
  ChunkFetcher::Needed contents;
  for (const auto& [volume, is_running] : needed) {
    contents[volume.disk->base_content_id].insert(volume.ticket);
    if (chunks_) chunks_->fetcher().add_needed(volume.disk->base_content_id, volume.ticket);
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
  if (chunks_) chunks_->fetcher().set_needed(std::move(contents));
  if (chunks_) follow_nodes(needed, begun);
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

/// Copies the images of those that run. One that was prepared since `begun` still boots.
void LocalVolumes::follow_nodes(const std::vector<Needed>& needed, std::uint64_t begun) {
  ImageCopier::Running running;
  std::set<msg::NodeId> nodes;
  for (const auto& [volume, is_running] : needed) {
    nodes.insert(volume.node_id);
    if (is_running) running[volume.disk->base_content_id].push_back(volume.node_id);
  }
  for (const auto& [directory, started] : started_)
    if (started > begun) nodes.insert({fs::path(directory).filename().string()});
  chunks_->copier().set_running(running);
  chunks_->boots().keep_only(nodes);
}

std::vector<msg::ImageCopy> LocalVolumes::image_copies() const {
  return chunks_ ? chunks_->copier().copies() : std::vector<msg::ImageCopy>{};
}

std::set<msg::NodeId> LocalVolumes::booting() const {
  return chunks_ ? chunks_->boots().booting() : std::set<msg::NodeId>{};
}

void LocalVolumes::set_ready(const msg::NodeId& node_id) {
  if (chunks_) chunks_->boots().set_ready(node_id);
}

core::Result<void> LocalVolumes::remove(const msg::NodeId& node_id) {
  const auto claimed = claim(node_id);
  if (!claimed) return in_use();
  sender_.cancel(node_id);
  digests_.forget(node_id);
  const auto directory = directory_of(node_id);
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

#include "services/provisioner/driver/chunk_cache.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "core/chunks/chunk.hpp"
#include "core/files/files.hpp"
#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_chunk_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string packed(core::packed_chunk_bytes_max + 1, '\0');
  file.read(packed.data(), static_cast<std::streamsize>(packed.size()));
  packed.resize(static_cast<std::size_t>(file.gcount()));
  return packed;
}

}  // namespace

ChunkCache::ChunkCache(std::string directory, std::uint64_t bytes_max, ChunkMetrics& metrics)
    : directory_{std::move(directory)}, bytes_max_{bytes_max}, metrics_{metrics} {
  std::error_code fault;
  fs::create_directories(directory_, fault);
  fs::permissions(directory_, fs::perms(0700), fault);
  find_files();
  shrink();
}

void ChunkCache::find_files() {
  struct Found {
    fs::file_time_type used = {};
    Entry entry = {};
  };
  std::vector<Found> found;
  std::error_code fault;
  for (const auto& file : fs::directory_iterator(directory_, fault)) {
    const auto digest = core::parse_digest(file.path().filename().string());
    const auto used = fs::last_write_time(file.path(), fault);
    const auto bytes = fs::file_size(file.path(), fault);
    if (digest && !fault)
      found.push_back({used, {*digest, bytes}});
    else
      fs::remove(file.path(), fault);
  }
  std::ranges::sort(found, {}, &Found::used);
  for (const auto& one : found) add(one.entry);
}

std::string ChunkCache::path_of(const core::Sha256& digest) const {
  return directory_ + "/" + core::to_hex(digest);
}

std::optional<Chunk> ChunkCache::find(const core::Sha256& digest, std::size_t size) {
  {
    const std::scoped_lock lock{mutex_};
    const auto known = index_.find(digest);
    if (known == index_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, known->second);
  }
  const auto path = path_of(digest);
  auto packed = read_chunk_file(path);
  if (!packed) {
    const std::scoped_lock lock{mutex_};
    forget(digest);
    return std::nullopt;
  }
  auto plain = core::unpack_chunk(*packed, size, digest);
  std::error_code fault;
  if (plain) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), fault);  // recently used
    return Chunk{.packed = std::move(*packed), .plain = std::move(*plain)};
  }
  core::log::warning("chunk_damaged",
                     {{"chunk", core::to_hex(digest)}, {"reason", plain.error().detail}});
  metrics_.damaged.Increment();
  const std::scoped_lock lock{mutex_};
  fs::remove(path, fault);
  forget(digest);
  return std::nullopt;
}

core::Result<Chunk> ChunkCache::keep(const core::Sha256& digest, std::size_t size,
                                     std::string packed) {
  auto plain = core::unpack_chunk(packed, size, digest);
  if (!plain) return std::unexpected(plain.error());
  // Not synced: after a power failure, a file that is not whole is found when it is read.
  if (packed.size() <= bytes_max_ && core::replace_file(path_of(digest), packed)) {
    const std::scoped_lock lock{mutex_};
    add({.digest = digest, .bytes = packed.size()});
    shrink();
  }
  return Chunk{.packed = std::move(packed), .plain = std::move(*plain)};
}

std::uint64_t ChunkCache::bytes() const {
  const std::scoped_lock lock{mutex_};
  return bytes_;
}

void ChunkCache::add(const Entry& entry) {
  forget(entry.digest);
  entries_.push_front(entry);
  index_[entry.digest] = entries_.begin();
  bytes_ += entry.bytes;
  metrics_.cache_bytes.Set(static_cast<double>(bytes_));
}

void ChunkCache::forget(const core::Sha256& digest) {
  const auto known = index_.find(digest);
  if (known == index_.end()) return;
  bytes_ -= known->second->bytes;
  entries_.erase(known->second);
  index_.erase(known);
  metrics_.cache_bytes.Set(static_cast<double>(bytes_));
}

void ChunkCache::shrink() {
  std::error_code fault;
  while (bytes_ > bytes_max_) {
    const auto oldest = entries_.back().digest;
    fs::remove(path_of(oldest), fault);
    forget(oldest);
  }
}

}  // namespace nucleus::provisioner

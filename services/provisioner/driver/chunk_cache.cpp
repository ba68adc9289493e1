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
    if (digest && !fault && bytes > 0)  // a power failure may leave it empty
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
    auto& entries = entries_with(*known->second);
    entries.splice(entries.begin(), entries, known->second);
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

bool ChunkCache::has(const core::Sha256& digest) const {
  const std::scoped_lock lock{mutex_};
  return index_.contains(digest);
}

void ChunkCache::set_needed(ChunkPrefixes needed) {
  const std::scoped_lock lock{mutex_};
  needed_prefixes_ = std::move(needed);
  needed_bytes_ = 0;
  Entries all = std::move(needed_);
  all.splice(all.end(), others_);
  needed_.clear();
  others_.clear();
  while (!all.empty()) {
    auto& entry = all.front();
    entry.is_needed = is_needed(entry.digest);
    if (entry.is_needed) needed_bytes_ += entry.bytes;
    auto& entries = entries_with(entry);
    entries.splice(entries.end(), all, all.begin());
  }
}

std::uint64_t ChunkCache::room() const {
  const std::scoped_lock lock{mutex_};
  return bytes_max_ - std::min(needed_bytes_, bytes_max_);
}

std::uint64_t ChunkCache::changes() const {
  const std::scoped_lock lock{mutex_};
  return changes_;
}

bool ChunkCache::is_needed(const core::Sha256& digest) const {
  return std::ranges::binary_search(needed_prefixes_, core::Sha256Prefix{}(digest));
}

void ChunkCache::add(Entry entry) {
  forget(entry.digest);
  entry.is_needed = is_needed(entry.digest);
  auto& entries = entries_with(entry);
  entries.push_front(entry);
  index_[entry.digest] = entries.begin();
  bytes_ += entry.bytes;
  if (entry.is_needed) needed_bytes_ += entry.bytes;
  ++changes_;
  metrics_.cache_bytes.Set(static_cast<double>(bytes_));
}

void ChunkCache::forget(const core::Sha256& digest) {
  const auto known = index_.find(digest);
  if (known == index_.end()) return;
  const Entry entry = *known->second;
  bytes_ -= entry.bytes;
  if (entry.is_needed) needed_bytes_ -= entry.bytes;
  entries_with(entry).erase(known->second);
  index_.erase(known);
  ++changes_;
  metrics_.cache_bytes.Set(static_cast<double>(bytes_));
}

void ChunkCache::shrink() {
  std::error_code fault;
  while (bytes_ > bytes_max_) {
    const auto oldest = (others_.empty() ? needed_ : others_).back().digest;
    fs::remove(path_of(oldest), fault);
    forget(oldest);
  }
}

}  // namespace nucleus::provisioner

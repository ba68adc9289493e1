// Chunks that this host has fetched: files named by their digests, in one directory. If they are
// too many, those that no node here needs are deleted first, the least recently used of them before
// others. Every chunk can be fetched again, so a file may vanish at any time. Calls block; any
// thread.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/digest/digest.hpp"
#include "core/result.hpp"
#include "services/provisioner/metrics.hpp"

namespace nucleus::provisioner {

struct Chunk {
  std::string packed = {};  // as it was fetched
  std::string plain = {};
};

/// Chunks by the prefixes of their digests (core::Sha256Prefix), sorted: 8 bytes for each. Two with
/// the same prefix count as one.
using ChunkPrefixes = std::vector<std::size_t>;

class ChunkCache {
 public:
  /// Finds what an earlier process kept; deletes what it left unfinished.
  ChunkCache(std::string directory, std::uint64_t bytes_max, ChunkMetrics& metrics);

  /// A chunk of `size` plain bytes. A damaged file is deleted and counted.
  std::optional<Chunk> find(const core::Sha256& digest, std::size_t size);
  /// Unpacks a chunk, and keeps it if its digest is right; `invalid_argument` if it is not. If the
  /// disk is full, the chunk is returned but not kept.
  core::Result<Chunk> keep(const core::Sha256& digest, std::size_t size, std::string packed);
  std::uint64_t bytes() const;

  /// Whether the chunk is here, as far as that is known without reading its file.
  bool has(const core::Sha256& digest) const;
  /// From now on, these are deleted last.
  void set_needed(ChunkPrefixes needed);
  /// How many bytes of needed chunks can be added without deleting another needed one.
  std::uint64_t room() const;
  /// Counts the chunks that were added or have gone.
  std::uint64_t changes() const;

 private:
  struct Entry {
    core::Sha256 digest = {};
    std::uint64_t bytes = 0;
    bool is_needed = false;
  };
  using Entries = std::list<Entry>;

  std::string path_of(const core::Sha256& digest) const;
  void find_files();
  Entries& entries_with(const Entry& entry) { return entry.is_needed ? needed_ : others_; }
  bool is_needed(const core::Sha256& digest) const;
  void add(Entry entry);
  void forget(const core::Sha256& digest);
  void shrink();

  const std::string directory_;
  const std::uint64_t bytes_max_;
  ChunkMetrics& metrics_;
  mutable std::mutex mutex_ = {};
  // The most recently used first.
  Entries needed_ = {};
  Entries others_ = {};
  ChunkPrefixes needed_prefixes_ = {};
  std::unordered_map<core::Sha256, Entries::iterator, core::Sha256Prefix> index_ = {};
  std::uint64_t bytes_ = 0;
  std::uint64_t needed_bytes_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace nucleus::provisioner

// Chunks that this host has fetched: files named by their digests, in one directory, the least
// recently used of which are deleted. Every chunk can be fetched again, so a file may vanish at any
// time. Calls block; any thread.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/digest/digest.hpp"
#include "core/result.hpp"
#include "services/provisioner/metrics.hpp"

namespace nucleus::provisioner {

struct Chunk {
  std::string packed = {};  // as it was fetched
  std::string plain = {};
};

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

 private:
  struct Entry {
    core::Sha256 digest = {};
    std::uint64_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  std::string path_of(const core::Sha256& digest) const;
  void find_files();
  void add(const Entry& entry);
  void forget(const core::Sha256& digest);
  void shrink();

  const std::string directory_;
  const std::uint64_t bytes_max_;
  ChunkMetrics& metrics_;
  mutable std::mutex mutex_ = {};
  Entries entries_ = {};  // the most recently used first
  std::unordered_map<core::Sha256, Entries::iterator, core::Sha256Prefix> index_ = {};
  std::uint64_t bytes_ = 0;
};

}  // namespace nucleus::provisioner

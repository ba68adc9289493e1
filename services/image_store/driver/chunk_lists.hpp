// The chunks of disks of images: pages of digests, each made once beside its file, and single
// chunks read from the file itself and packed on the way. Calls block; any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "core/digest/digest.hpp"
#include "core/result.hpp"

namespace nucleus::image_store {

class ChunkLists {
 public:
  /// The encoded msg::ChunkPage of the file at `path`. A page that does not exist yet is made from
  /// its 1 GiB of content, one at a time, with a few MiB of memory. `not_found`: the file has no
  /// such page; `unavailable`: it cannot be read.
  core::Result<std::string> page(const std::string& path, std::uint64_t number);

  /// A packed chunk. `not_found` unless chunk `index` of the file has this digest.
  static core::Result<std::string> chunk(const std::string& path, std::uint64_t index,
                                         const core::Sha256& digest);

 private:
  std::mutex making_ = {};
};

/// Makes all pages of a file that has none. A page is complete when it has its name.
core::Result<void> make_chunk_list(const std::string& path);

}  // namespace nucleus::image_store

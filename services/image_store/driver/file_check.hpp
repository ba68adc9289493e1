// A file on its way into the store: its size, its header, its digests.
#pragma once

#include <string>

#include "core/result.hpp"
#include "messages/image_store.hpp"

namespace nucleus::image_store {

struct CheckedFile {
  std::uint64_t size_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::string sha256 = {};  // hex
  std::string md5 = {};     // hex
};

struct FileLimits {
  std::uint64_t size_bytes_max = 0;
  std::uint64_t virtual_bytes_max = 0;
};

/// Reads the whole file. `not_found` where there is none; `invalid_argument` where it is not what
/// `format` says, or is too large. Blocks.
core::Result<CheckedFile> check_file(const std::string& path, msg::ImageFormat format,
                                     const FileLimits& limits);

}  // namespace nucleus::image_store

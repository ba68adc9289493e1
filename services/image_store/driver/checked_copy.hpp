// Copies a file into the store and checks what was copied, in one pass: later changes of the source
// have no effect.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "services/image_store/records.hpp"

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

/// Copies at most `size_bytes_max` bytes to a new, read-only file and syncs it. Blocks.
/// `not_found` if there is no regular file at `from`, `invalid_argument` (field `size`) if it is
/// larger, `no_capacity` if the disk is full. A partial copy is left to the caller.
core::Result<FileDigest> copy_file(const std::string& from, const std::string& to,
                                   std::uint64_t size_bytes_max);

/// As `copy_file`, and `invalid_argument` (field `format`) if the copy's header is not what
/// `format` says. If `to` is empty, the file is only read.
core::Result<CheckedFile> copy_checked(const std::string& from, const std::string& to,
                                       msg::ImageFormat format, const FileLimits& limits);

/// What the file must be, as far as it was given.
struct Expected {
  std::uint64_t size_bytes = 0;
  std::string_view md5 = {};     // hex in either case
  std::string_view sha256 = {};  // likewise
};

/// `invalid_argument` if the file has another size or digest.
core::Result<void> check_expected(const CheckedFile& file, const Expected& expected);

}  // namespace nucleus::image_store

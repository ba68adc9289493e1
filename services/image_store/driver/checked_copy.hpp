// Puts a file into the store, and then checks it there: later changes of the source have no effect.
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

/// Puts the file at `to`, synced: a copy; or, of a file that `is_final`, which nothing writes any
/// more, another link if the file system allows that. Fails as `copy_file`.
core::Result<void> place_file(const std::string& from, const std::string& to,
                              std::uint64_t size_bytes_max, bool is_final);

/// Reads a whole file. Blocks. Errors of `copy_file`, and `invalid_argument` (field `format`) if
/// its header is not what `format` says.
core::Result<CheckedFile> check_file(const std::string& path, msg::ImageFormat format,
                                     const FileLimits& limits);

/// What the file must be, as far as it was given.
struct Expected {
  std::uint64_t size_bytes = 0;
  std::string_view md5 = {};     // hex in either case
  std::string_view sha256 = {};  // likewise
};

/// `invalid_argument` if the file has another size or digest.
core::Result<void> check_expected(const CheckedFile& file, const Expected& expected);

}  // namespace nucleus::image_store

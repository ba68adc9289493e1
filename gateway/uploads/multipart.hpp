// The parts of a multipart/form-data body in a file (RFC 7578), found and copied without reading
// the body into memory. Blocks, so it runs on a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::gateway {

struct Part {
  std::string name = {};
  std::string file_name = {};  // as sent; not safe to use as a path
  std::uint64_t offset = 0;    // of the content in the file
  std::uint64_t size_bytes = 0;
};

/// All parts, at most 16; `invalid_argument` if the body is malformed.
core::Result<std::vector<Part>> find_parts(const std::string& path,
                                           const std::string& content_type);

/// Overwrites the existing file `to` with a part's content.
core::Result<void> copy_part(const std::string& path, const Part& part, const std::string& to);

}  // namespace nucleus::gateway

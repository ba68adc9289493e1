// The parts of a multipart/form-data body that lies in a file (RFC 7578): found in place, copied
// out, never held in memory. Blocks, so it belongs on a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::gateway {

struct Part {
  std::string name = {};
  std::string file_name = {};  // as sent; not safe to use as a path
  std::uint64_t offset = 0;    // of its content in the file
  std::uint64_t size_bytes = 0;
};

/// All parts, at most 16. `invalid_argument`: no such body.
core::Result<std::vector<Part>> find_parts(const std::string& path,
                                           const std::string& content_type);

/// Writes a part's content over the file `to`, which is there.
core::Result<void> copy_part(const std::string& path, const Part& part, const std::string& to);

}  // namespace nucleus::gateway

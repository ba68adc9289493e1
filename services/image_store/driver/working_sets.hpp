// What nodes read of the disks of images until they were ready, as hosts send it: recorded once
// beside the disk, and deleted with it. Calls block; any thread.
#pragma once

#include <mutex>
#include <string>

#include "core/result.hpp"

namespace nucleus::image_store {

constexpr std::size_t working_set_bytes_max = 128 * 1024;  // encoded

class WorkingSets {
 public:
  /// The encoded msg::WorkingSet of the file at `path`. `not_found`: there is none, or its file is
  /// damaged; `unavailable`: the file at `path` cannot be read.
  static core::Result<std::string> find(const std::string& path);
  /// Records an encoded set, durably, unless there is one. `invalid_argument`: it breaks a rule.
  core::Result<void> keep(const std::string& path, const std::string& encoded);

 private:
  std::mutex keeping_ = {};
};

}  // namespace nucleus::image_store

// Steps with files that several processes take. All block.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "core/result.hpp"

namespace nucleus::core {

/// `WHAT: the fault`, as `no_capacity` if the disk is full, else as `internal`.
std::unexpected<Error> refuse_fault(const std::string& what, const std::error_code& fault);
/// The same of errno.
std::unexpected<Error> refuse_errno(const std::string& what);

/// Makes a file or a directory durable. What cannot be opened is left as it is.
void sync_path(const std::filesystem::path& path);

struct ReplaceOptions {
  mode_t mode = 0600;
  bool is_durable = false;  // synced before it takes the place of the earlier file
};

/// Replaces a file as a whole: no reader sees half of it. The new content is first in a hidden file
/// beside it, .NAME.new. `internal` if that fails, and the earlier file stays.
Result<void> replace_file(const std::string& path, std::string_view content,
                          ReplaceOptions options = {});

}  // namespace nucleus::core

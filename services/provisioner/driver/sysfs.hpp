// Small files of sysfs: one line each.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace nucleus::provisioner {

/// The first line of a file, at most 256 bytes; empty if it cannot be read.
std::string sysfs_line(const std::filesystem::path& path);

std::optional<int> sysfs_number(const std::filesystem::path& path);

/// The file name of the symbolic link's target; empty if there is no such link.
std::string sysfs_link(const std::filesystem::path& path);

/// Writes to a file that exists. Returns 0, or errno.
int write_sysfs(const std::filesystem::path& path, const std::string& line);

}  // namespace nucleus::provisioner

#include "services/provisioner/driver/sysfs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>

#include "core/files/descriptor.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t sysfs_line_bytes_max = 256;

}  // namespace

std::string sysfs_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  for (char c = 0; line.size() < sysfs_line_bytes_max && file.get(c) && c != '\n';) line += c;
  return line;
}

std::optional<int> sysfs_number(const std::filesystem::path& path) {
  const auto line = sysfs_line(path);
  int value = 0;
  const auto* const end = line.data() + line.size();
  const auto read = std::from_chars(line.data(), end, value);
  if (line.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return value;
}

std::string sysfs_link(const std::filesystem::path& path) {
  std::error_code fault;
  return std::filesystem::read_symlink(path, fault).filename().string();
}

int write_sysfs(const std::filesystem::path& path, const std::string& line) {
  const core::Descriptor file{open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC)};
  if (!file.is_open()) return errno;
  const auto text = line + "\n";
  // The driver takes a line in one call, or refuses it.
  const auto written = write(file.number(), text.data(), text.size());
  if (written < 0) return errno;
  return written == static_cast<ssize_t>(text.size()) ? 0 : EIO;
}

}  // namespace nucleus::provisioner

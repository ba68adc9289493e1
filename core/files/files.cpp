#include "core/files/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "core/files/descriptor.hpp"

namespace nucleus::core {

namespace fs = std::filesystem;

namespace {

bool write_all(int descriptor, std::string_view content) {
  while (!content.empty()) {
    const auto count = write(descriptor, content.data(), content.size());
    if (count <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

std::unexpected<Error> refuse_fault(const std::string& what, const std::error_code& fault) {
  const bool is_full = fault == std::errc::no_space_on_device;
  return refuse(is_full ? ErrorCode::no_capacity : ErrorCode::internal,
                what + ": " + fault.message());
}

std::unexpected<Error> refuse_errno(const std::string& what) {
  return refuse_fault(what, {errno, std::generic_category()});
}

void sync_path(const fs::path& path) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.is_open()) fsync(file.number());
}

Result<void> replace_file(const std::string& path, std::string_view content,
                          ReplaceOptions options) {
  const fs::path target(path);
  const std::string fresh = target.parent_path() / ("." + target.filename().string() + ".new");
  {
    const Descriptor file{
        open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, options.mode)};
    // Exactly this mode, whatever the process's umask is: other users may have to read it.
    const bool is_written = file.is_open() && fchmod(file.number(), options.mode) == 0 &&
                            write_all(file.number(), content) &&
                            (!options.is_durable || fsync(file.number()) == 0);
    if (!is_written)
      return refuse(ErrorCode::internal, path + ": " + std::generic_category().message(errno));
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0)
    return refuse(ErrorCode::internal, path + ": " + std::generic_category().message(errno));
  return {};
}

}  // namespace nucleus::core

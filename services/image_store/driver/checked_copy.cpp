#include "services/image_store/driver/checked_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <future>
#include <vector>

#include "core/digest/digest.hpp"
#include "core/files/descriptor.hpp"
#include "core/files/files.hpp"
#include "services/image_store/image_header.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr std::size_t piece_bytes = 1 << 20;

core::Result<void> write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return core::refuse_errno("cannot write the copy");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Passes each piece of a regular file to `see`, until that fails.
core::Result<void> read_pieces(const std::string& path, std::uint64_t size_bytes_max,
                               const std::function<core::Result<void>(std::string_view)>& see) {
  // A FIFO would block the open, and a device has no end.
  const core::Descriptor source(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!source.is_open() || fstat(source.number(), &status) != 0 || !S_ISREG(status.st_mode))
    return core::refuse(ErrorCode::not_found, "no such file: " + path, "path");
  std::vector<char> buffer(piece_bytes);
  std::uint64_t size_bytes = 0;
  while (true) {
    const auto count = read(source.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return core::refuse_errno("cannot read the file");
    if (count == 0) return {};
    size_bytes += static_cast<std::uint64_t>(count);
    if (size_bytes > size_bytes_max)
      return std::unexpected(msg::invalid("size", "the file is too large"));
    if (auto seen = see({buffer.data(), static_cast<std::size_t>(count)}); !seen) return seen;
  }
}

/// Copies piece by piece, and passes each piece to `see`.
core::Result<void> copy_pieces(const std::string& from, const std::string& to,
                               std::uint64_t size_bytes_max,
                               const std::function<void(std::string_view)>& see) {
  const core::Descriptor target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!target.is_open()) return core::refuse_errno("cannot create the copy");
  auto copied = read_pieces(from, size_bytes_max, [&](std::string_view piece) {
    see(piece);
    return write_all(target.number(), piece);
  });
  if (copied && fsync(target.number()) != 0) return core::refuse_errno("cannot write the copy");
  return copied;
}

core::Result<std::string> md5_of(const std::string& path, std::uint64_t size_bytes_max) {
  core::Hasher md5(core::Hasher::Algorithm::md5);
  const auto read = read_pieces(path, size_bytes_max, [&](std::string_view piece) {
    md5.add(piece);
    return core::Result<void>{};
  });
  if (!read) return std::unexpected(read.error());
  return md5.finish_hex();
}

/// Makes `to` another name of a regular file, and syncs it. False where the file system allows no
/// link.
core::Result<bool> link_file(const std::string& from, const std::string& to) {
  struct stat status {};
  if (lstat(from.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return core::refuse(ErrorCode::not_found, "no such file: " + from, "path");
  if (link(from.c_str(), to.c_str()) != 0) {
    if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP) return false;
    return core::refuse_errno("cannot link the file");
  }
  const core::Descriptor file(open(to.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() || fsync(file.number()) != 0)
    return core::refuse_errno("cannot sync the file");
  return true;
}

bool is_same_digest(std::string_view given, std::string_view found) {
  const auto same = [](char a, char b) { return std::tolower(a) == b; };
  return given.empty() || std::ranges::equal(given, found, same);
}

}  // namespace

core::Result<FileDigest> copy_file(const std::string& from, const std::string& to,
                                   std::uint64_t size_bytes_max) {
  core::Hasher sha256(core::Hasher::Algorithm::sha256);
  FileDigest digest;
  const auto copied = copy_pieces(from, to, size_bytes_max, [&](std::string_view piece) {
    sha256.add(piece);
    digest.size_bytes += piece.size();
  });
  if (!copied) return std::unexpected(copied.error());
  digest.sha256 = sha256.finish_hex();
  return digest;
}

core::Result<CheckedFile> check_file(const std::string& path, msg::ImageFormat format,
                                     const FileLimits& limits) {
  // MD5 takes twice as long as SHA-256 where the processor helps with that one.
  auto md5 = std::async(std::launch::async, md5_of, path, limits.size_bytes_max);
  core::Hasher sha256(core::Hasher::Algorithm::sha256);
  std::string head;
  CheckedFile file;
  const auto read = read_pieces(path, limits.size_bytes_max, [&](std::string_view piece) {
    if (head.size() < header_bytes) head += piece.substr(0, header_bytes - head.size());
    sha256.add(piece);
    file.size_bytes += piece.size();
    return core::Result<void>{};
  });
  auto md5_hex = md5.get();
  if (!read) return std::unexpected(read.error());
  if (!md5_hex) return std::unexpected(md5_hex.error());
  auto virtual_bytes = check_image_header(format, head, file.size_bytes, limits.virtual_bytes_max);
  if (!virtual_bytes) return std::unexpected(virtual_bytes.error());
  file.virtual_bytes = *virtual_bytes;
  file.sha256 = sha256.finish_hex();
  file.md5 = std::move(*md5_hex);
  return file;
}

core::Result<void> place_file(const std::string& from, const std::string& to,
                              std::uint64_t size_bytes_max, bool is_final) {
  if (is_final) {
    const auto linked = link_file(from, to);
    if (!linked) return std::unexpected(linked.error());
    if (*linked) return {};
  }
  return copy_pieces(from, to, size_bytes_max, [](std::string_view) {});
}

core::Result<void> check_expected(const CheckedFile& file, const Expected& expected) {
  if (expected.size_bytes != 0 && expected.size_bytes != file.size_bytes)
    return std::unexpected(
        msg::invalid("size_bytes", "the file has " + std::to_string(file.size_bytes) +
                                       " bytes, not " + std::to_string(expected.size_bytes)));
  if (!is_same_digest(expected.md5, file.md5))
    return std::unexpected(msg::invalid("md5", "md5 does not match the file"));
  if (!is_same_digest(expected.sha256, file.sha256))
    return std::unexpected(msg::invalid("sha256", "sha256 does not match the file"));
  return {};
}

}  // namespace nucleus::image_store

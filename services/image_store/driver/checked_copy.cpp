#include "services/image_store/driver/checked_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
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

/// Copies piece by piece, and passes each piece to `see`.
core::Result<void> copy_pieces(const std::string& from, const std::string& to,
                               std::uint64_t size_bytes_max,
                               const std::function<void(std::string_view)>& see) {
  // A FIFO would block the open, and a device has no end.
  const core::Descriptor source(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!source.is_open() || fstat(source.number(), &status) != 0 || !S_ISREG(status.st_mode))
    return core::refuse(ErrorCode::not_found, "no such file: " + from, "path");
  const core::Descriptor target(
      to.empty() ? -1 : open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!to.empty() && !target.is_open()) return core::refuse_errno("cannot create the copy");
  std::vector<char> buffer(piece_bytes);
  std::uint64_t size_bytes = 0;
  while (true) {
    const auto count = read(source.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return core::refuse_errno("cannot read the file");
    if (count == 0) break;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(count));
    size_bytes += piece.size();
    if (size_bytes > size_bytes_max)
      return std::unexpected(msg::invalid("size", "the file is too large"));
    see(piece);
    if (to.empty()) continue;
    if (auto written = write_all(target.number(), piece); !written) return written;
  }
  if (!to.empty() && fsync(target.number()) != 0)
    return core::refuse_errno("cannot write the copy");
  return {};
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

core::Result<CheckedFile> copy_checked(const std::string& from, const std::string& to,
                                       msg::ImageFormat format, const FileLimits& limits) {
  core::Hasher sha256(core::Hasher::Algorithm::sha256);
  core::Hasher md5(core::Hasher::Algorithm::md5);
  std::string head;
  std::uint64_t size_bytes = 0;
  const auto copied = copy_pieces(from, to, limits.size_bytes_max, [&](std::string_view piece) {
    if (head.size() < header_bytes) head += piece.substr(0, header_bytes - head.size());
    sha256.add(piece);
    md5.add(piece);
    size_bytes += piece.size();
  });
  if (!copied) return std::unexpected(copied.error());
  auto virtual_bytes = check_image_header(format, head, size_bytes, limits.virtual_bytes_max);
  if (!virtual_bytes) return std::unexpected(virtual_bytes.error());
  return CheckedFile{.size_bytes = size_bytes,
                     .virtual_bytes = *virtual_bytes,
                     .sha256 = sha256.finish_hex(),
                     .md5 = md5.finish_hex()};
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

#include "services/image_store/driver/file_check.hpp"

#include <filesystem>
#include <fstream>
#include <vector>

#include "core/digest/digest.hpp"
#include "services/image_store/image_header.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

core::Result<CheckedFile> check_file(const std::string& path, msg::ImageFormat format,
                                     const FileLimits& limits) {
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault))
    return core::refuse(ErrorCode::not_found, "there is no such file", "path");
  const std::uint64_t size_bytes = std::filesystem::file_size(path, fault);
  if (size_bytes > limits.size_bytes_max)
    return std::unexpected(msg::invalid("size", "the file is too large"));
  std::ifstream file(path, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  core::Hasher sha256(core::Hasher::Algorithm::sha256);
  core::Hasher md5(core::Hasher::Algorithm::md5);
  std::string head;
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const std::string_view read(buffer.data(), static_cast<std::size_t>(file.gcount()));
    if (head.size() < header_bytes) head += read.substr(0, header_bytes - head.size());
    sha256.add(read);
    md5.add(read);
  }
  if (file.bad()) return core::refuse(ErrorCode::internal, "the file cannot be read");
  auto virtual_bytes = check_image_header(format, head, size_bytes, limits.virtual_bytes_max);
  if (!virtual_bytes) return std::unexpected(virtual_bytes.error());
  return CheckedFile{.size_bytes = size_bytes,
                     .virtual_bytes = *virtual_bytes,
                     .sha256 = sha256.finish_hex(),
                     .md5 = md5.finish_hex()};
}

}  // namespace nucleus::image_store

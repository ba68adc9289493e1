#include "services/image_store/driver/file_check.hpp"

#include <openssl/evp.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "services/image_store/image_header.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

/// A digest in the making.
class Digest {
 public:
  explicit Digest(const EVP_MD* kind) { EVP_DigestInit_ex(context_.get(), kind, nullptr); }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned count = 0;
    EVP_DigestFinal_ex(context_.get(), bytes.data(), &count);
    std::string text;
    for (unsigned i = 0; i < count; ++i) {
      text += "0123456789abcdef"[bytes[i] >> 4];
      text += "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* c) { EVP_MD_CTX_free(c); })> context_{
      EVP_MD_CTX_new()};
};

}  // namespace

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
  Digest sha256(EVP_sha256());
  Digest md5(EVP_md5());
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
                     .sha256 = sha256.hex(),
                     .md5 = md5.hex()};
}

}  // namespace nucleus::image_store

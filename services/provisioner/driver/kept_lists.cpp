#include "services/provisioner/driver/kept_lists.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "core/digest/digest.hpp"
#include "core/files/files.hpp"

namespace nucleus::provisioner {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_digits = 64;
constexpr std::uintmax_t file_bytes_max = 128 * 1024;
constexpr std::uint64_t kept_between_prunes = 256;

}  // namespace

KeptLists::KeptLists(std::string directory) : directory_{std::move(directory)} {
  if (directory_.empty()) return;
  std::error_code fault;
  fs::create_directories(directory_, fault);
  fs::permissions(directory_, fs::perms(0700), fault);
  prune();
}

std::string KeptLists::path_of(const std::string& content_id, std::uint64_t page) const {
  return directory_ + "/" + content_id + "." + std::to_string(page);
}

/// A file begins with the digest of the rest.
std::optional<std::string> KeptLists::find(const std::string& content_id,
                                           std::uint64_t page) const {
  if (directory_.empty()) return std::nullopt;
  const auto path = path_of(content_id, page);
  std::error_code fault;
  const auto size = fs::file_size(path, fault);
  if (fault || size < digest_digits || size > file_bytes_max) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (text.size() != size) return std::nullopt;
  auto encoded = text.substr(digest_digits);
  if (core::sha256_hex(encoded) != text.substr(0, digest_digits)) return std::nullopt;
  return encoded;
}

void KeptLists::keep(const std::string& content_id, std::uint64_t page,
                     const std::string& encoded) {
  if (directory_.empty()) return;
  (void)core::replace_file(path_of(content_id, page), core::sha256_hex(encoded) + encoded);
  if (++kept_ % kept_between_prunes == 0) prune();
}

void KeptLists::prune() const {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code fault;
  for (const auto& file : fs::directory_iterator(directory_, fault))
    if (const auto written = fs::last_write_time(file.path(), fault); !fault)
      files.emplace_back(written, file.path());
  if (files.size() <= pages_max) return;
  std::ranges::sort(files);
  files.resize(files.size() - pages_max);
  for (const auto& [written, path] : files) fs::remove(path, fault);
}

}  // namespace nucleus::provisioner

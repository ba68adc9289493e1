#include "services/provisioner/driver/memory_files.hpp"

#include <filesystem>
#include <fstream>

#include "core/files/files.hpp"
#include "services/provisioner/driver/file_digest.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

constexpr std::string_view ending = ".memory";
constexpr std::uint64_t left_free_mib = 64;

std::string digest_file(const std::string& path) {
  return path + ".sha256";
}

std::unexpected<core::Error> no_memory() {
  return core::refuse(ErrorCode::not_found, "its memory is not on this host, or was used already");
}

/// The name of the memory that the file is of; empty if it is of none.
std::string memory_of(const std::string& file) {
  const auto at = file.rfind(ending);
  return at == std::string::npos ? "" : file.substr(0, at + ending.size());
}

}  // namespace

std::string memory_file_name(const std::string& domain, const std::string& hibernation_id) {
  return domain + "." + hibernation_id + std::string(ending);
}

std::string partial_memory(const std::string& path) {
  return path + ".part";
}

std::string taken_memory(const std::string& path, std::uint64_t epoch) {
  return path + "." + std::to_string(epoch);
}

core::Result<void> begin_memory(const std::string& path, std::uint64_t bytes) {
  constexpr std::uint64_t mebibyte = 1 << 20;
  const auto directory = fs::path(path).parent_path();
  std::error_code fault;
  fs::create_directories(directory, fault);
  if (!fault) fs::permissions(directory, fs::perms::owner_all, fault);
  if (!fault) fs::remove(partial_memory(path), fault);
  const auto free = fault ? fs::space_info{} : fs::space(directory, fault);
  if (fault) return core::refuse_fault("cannot make the file of its memory", fault);
  if (free.available / mebibyte < bytes / mebibyte + left_free_mib)
    return core::refuse(ErrorCode::unavailable,
                        "its memory may need " + std::to_string(bytes / mebibyte) + " MiB, and " +
                            std::to_string(free.available / mebibyte) +
                            " MiB are free on its host");
  return {};
}

core::Result<std::uint64_t> publish_memory(const std::string& path) {
  const auto partial = partial_memory(path);
  std::error_code fault;
  fs::permissions(partial, fs::perms::owner_read | fs::perms::owner_write, fault);
  if (fault) return core::refuse_fault("cannot publish its memory", fault);
  const auto digest = digest_of(partial);
  if (!digest) return std::unexpected(digest.error());
  core::sync_path(partial);
  if (auto written = core::replace_file(digest_file(path), digest->sha256, {.is_durable = true});
      !written)
    return std::unexpected(written.error());
  fs::rename(partial, path, fault);
  if (fault) return core::refuse_fault("cannot publish its memory", fault);
  core::sync_path(fs::path(path).parent_path());
  return digest->size_bytes;
}

core::Result<std::uint64_t> published_bytes(const std::string& path) {
  std::error_code fault;
  const auto bytes = fs::file_size(path, fault);
  if (fault) return no_memory();
  return bytes;
}

core::Result<void> take_memory(const std::string& path, std::uint64_t epoch) {
  std::error_code fault;
  fs::rename(path, taken_memory(path, epoch), fault);
  if (fault == std::errc::no_such_file_or_directory) return no_memory();
  if (fault) return core::refuse_fault("cannot use its memory", fault);
  core::sync_path(fs::path(path).parent_path());
  return {};
}

void give_memory_back(const std::string& path, std::uint64_t epoch) {
  std::error_code ignored;
  fs::rename(taken_memory(path, epoch), path, ignored);
}

core::Result<void> check_memory(const std::string& path, std::uint64_t epoch) {
  std::string expected;
  std::ifstream(digest_file(path)) >> expected;
  const auto digest = digest_of(taken_memory(path, epoch));
  if (!digest) return std::unexpected(digest.error());
  if (digest->sha256 == expected) return {};
  return core::refuse(ErrorCode::internal, "its saved memory is damaged");
}

void forget_memory(const std::string& path, std::uint64_t epoch) {
  std::error_code ignored;
  fs::remove(taken_memory(path, epoch), ignored);
  fs::remove(digest_file(path), ignored);
}

core::Result<void> remove_memories_in(const std::string& directory,
                                      const std::set<std::string>& kept) {
  std::error_code fault;
  fs::directory_iterator files(directory, fault);
  if (fault == std::errc::no_such_file_or_directory) return {};
  for (; !fault && files != fs::directory_iterator(); files.increment(fault)) {
    const auto memory = memory_of(files->path().filename());
    if (memory.empty() || kept.contains(memory)) continue;
    fs::remove(files->path(), fault);
    if (fault) break;
  }
  if (fault) return core::refuse_fault("cannot remove saved memory", fault);
  return {};
}

}  // namespace nucleus::provisioner

#include "services/provisioner/driver/file_digest.hpp"

#include <fstream>

#include "core/digest/digest.hpp"
#include "core/files/files.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t digest_piece_bytes = 1 << 20;

/// The same content: whoever writes to the file changes its time.
bool is_same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino && one.st_size == other.st_size &&
         one.st_mtim.tv_sec == other.st_mtim.tv_sec && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

core::Result<struct stat> stat_of(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return core::refuse_errno("cannot read the sealed disk");
  return found;
}

}  // namespace

core::Result<FileDigest> digest_of(const std::string& path, const std::atomic<bool>& is_stopped) {
  core::Hasher hasher(core::Hasher::Algorithm::sha256);
  std::ifstream file(path, std::ios::binary);
  std::string piece(digest_piece_bytes, '\0');
  FileDigest digest;
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())) || file.gcount() > 0) {
    const auto count = static_cast<std::size_t>(file.gcount());
    hasher.add(std::string_view(piece).substr(0, count));
    digest.size_bytes += count;
    if (is_stopped) return core::refuse(core::ErrorCode::unavailable, "the provisioner is ending");
  }
  if (!file.eof()) return core::refuse_errno("cannot read a file of the disk");
  digest.sha256 = hasher.finish_hex();
  return digest;
}

core::Result<FileDigest> digest_of(const std::string& path) {
  const std::atomic<bool> never = false;
  return digest_of(path, never);
}

FileDigests::~FileDigests() {
  is_stopped_ = true;
  workers_.stop();
}

core::Result<std::optional<FileDigest>> FileDigests::find(const msg::NodeId& node_id,
                                                          const std::string& path) {
  const auto now = stat_of(path);
  if (!now) return std::unexpected(now.error());
  const std::scoped_lock lock{mutex_};
  const auto known = entries_.find(node_id);
  if (known == entries_.end() || !is_same_file(known->second.of, *now)) {
    entries_.insert_or_assign(node_id, Entry{.of = *now});
    workers_.submit([this, node_id, path, of = *now] { read(node_id, path, of); });
    return std::nullopt;
  }
  if (!known->second.found) return std::nullopt;
  auto found = *known->second.found;
  if (found) return *found;
  entries_.erase(known);  // the next call begins again
  return std::unexpected(found.error());
}

void FileDigests::read(const msg::NodeId& node_id, const std::string& path, const struct stat& of) {
  auto digest = digest_of(path, is_stopped_);
  const auto now = stat_of(path);
  const std::scoped_lock lock{mutex_};
  const auto entry = entries_.find(node_id);
  if (entry == entries_.end() || !is_same_file(entry->second.of, of)) return;
  if (now && is_same_file(of, *now))
    entry->second.found = std::move(digest);
  else
    entries_.erase(entry);
}

void FileDigests::forget(const msg::NodeId& node_id) {
  const std::scoped_lock lock{mutex_};
  entries_.erase(node_id);
}

}  // namespace nucleus::provisioner

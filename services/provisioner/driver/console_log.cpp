#include "services/provisioner/driver/console_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "core/digest/digest.hpp"
#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes quiet_min{1};  // before the log of an unknown domain is removed
constexpr std::int64_t hole_unit = 4096;      // of file systems: smaller holes free no space
constexpr int emptied_at = 4;                 // times the limit, without holes
constexpr std::size_t id_digits = 16;

int open_log(const fs::path& path, int mode) {
  return open(path.c_str(), mode | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/// 0 if it is not a file.
std::int64_t size_of(const core::Descriptor& file) {
  struct stat entry {};
  return file.is_open() && fstat(file.number(), &entry) == 0 && S_ISREG(entry.st_mode)
             ? entry.st_size
             : 0;
}

std::int64_t bytes_on_disk(const core::Descriptor& file) {
  constexpr std::int64_t unit = 512;
  struct stat entry {};
  return fstat(file.number(), &entry) == 0 ? entry.st_blocks * unit : 0;
}

/// The first offset that a log of this size keeps: a log only grows, so this offset does too.
std::int64_t first_kept(std::int64_t size, std::int64_t bytes_max) {
  return size <= bytes_max ? 0 : (size - bytes_max) / hole_unit * hole_unit;
}

/// Where the data at or after `offset` begins.
std::int64_t data_from(const core::Descriptor& file, std::int64_t offset) {
  const auto found = lseek(file.number(), offset, SEEK_DATA);
  if (found < 0) return errno == ENXIO ? size_of(file) : offset;
  return found;
}

/// An inode's number may be used again, but not with the same time of birth.
std::string id_of(const core::Descriptor& file, const std::string& name) {
  struct statx entry {};
  if (!file.is_open() ||
      statx(file.number(), "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &entry) != 0 ||
      !S_ISREG(entry.stx_mode))
    return {};
  return core::sha256_hex(fmt::format("{} {} {} {}", name, entry.stx_ino, entry.stx_btime.tv_sec,
                                      entry.stx_btime.tv_nsec))
      .substr(0, id_digits);
}

/// Returns an errno, or 0.
int shorten(const core::Descriptor& file, std::int64_t bytes_max) {
  const auto first = first_kept(size_of(file), bytes_max);
  if (first == 0 || data_from(file, 0) >= first) return 0;
  return fallocate(file.number(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, first) == 0
             ? 0
             : errno;
}

/// QEMU goes on beyond the old end: an offset that was used is never used again. What it writes
/// between the two steps is lost.
bool empty_log(const core::Descriptor& file) {
  constexpr std::int64_t written_meanwhile_max = 64 * 1024;
  const auto size = size_of(file) + written_meanwhile_max;
  return ftruncate(file.number(), 0) == 0 && ftruncate(file.number(), size) == 0;
}

}  // namespace

ConsoleLog::ConsoleLog(const std::string& path, std::int64_t bytes_max)
    : file_{path.empty() ? -1 : open_log(path, O_RDONLY)},
      bytes_max_{bytes_max},
      id_{id_of(file_, fs::path(path).filename())} {
  if (!id_.empty()) hole_end_ = data_from(file_, first_kept(end(), bytes_max_));
}

std::int64_t ConsoleLog::begin() const {
  return std::max(hole_end_, first_kept(end(), bytes_max_));
}

std::int64_t ConsoleLog::end() const {
  return id_.empty() ? 0 : size_of(file_);
}

ConsoleLog::Part ConsoleLog::read(std::int64_t offset, std::size_t bytes_max) const {
  Part part{.offset = std::max(offset, begin())};
  if (id_.empty()) return part;
  part.bytes.resize(std::min(
      bytes_max, static_cast<std::size_t>(std::max(end() - part.offset, std::int64_t{0}))));
  const auto count = pread(file_.number(), part.bytes.data(), part.bytes.size(), part.offset);
  part.bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  // What was freed meanwhile may have been read as zeros.
  const auto lost = std::min(std::max(begin() - part.offset, std::int64_t{0}),
                             static_cast<std::int64_t>(part.bytes.size()));
  part.bytes.erase(0, static_cast<std::size_t>(lost));
  part.offset += lost;
  return part;
}

void shorten_console_logs(const std::string& directory, std::int64_t bytes_max) {
  std::error_code fault;
  for (fs::directory_iterator entry(directory, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (entry->path().extension() != ".log") continue;
    const core::Descriptor file(open_log(entry->path(), O_RDWR));
    if (!file.is_open()) continue;
    const int failed = shorten(file, bytes_max);
    if (failed == 0 || bytes_on_disk(file) <= emptied_at * bytes_max) continue;
    core::log::warning("console_log_emptied", {{"file", entry->path().filename().string()},
                                               {"reason", std::strerror(failed)},
                                               {"is_emptied", empty_log(file)}});
  }
}

void remove_console_logs(const std::string& directory, const std::set<std::string>& domains_kept) {
  std::error_code fault;
  std::vector<fs::path> removed;
  for (fs::directory_iterator entry(directory, fault), end; !fault && entry != end;
       entry.increment(fault))
    if (entry->path().extension() == ".log" && !domains_kept.contains(entry->path().stem()) &&
        entry->last_write_time(fault) < fs::file_time_type::clock::now() - quiet_min)
      removed.push_back(entry->path());
  for (const auto& path : removed) fs::remove(path, fault);
}

}  // namespace nucleus::provisioner

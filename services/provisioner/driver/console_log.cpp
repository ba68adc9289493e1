#include "services/provisioner/driver/console_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes quiet_min{1};  // before the log of an unknown domain is removed

/// An open file, closed with its owner. A link in place of a log is not followed.
class LogFile {
 public:
  explicit LogFile(const fs::path& path)
      : fd_{open(path.c_str(), O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC)} {}
  ~LogFile() {
    if (fd_ >= 0) close(fd_);
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  std::int64_t size() const {
    struct stat entry {};
    return fd_ >= 0 && fstat(fd_, &entry) == 0 && S_ISREG(entry.st_mode) ? entry.st_size : 0;
  }

  /// QEMU opened the file for appending, so that it goes on at the new end.
  bool keep_tail(std::int64_t bytes) {
    std::vector<char> tail(static_cast<std::size_t>(bytes));
    const ssize_t count = pread(fd_, tail.data(), tail.size(), size() - bytes);
    if (count < 0 || ftruncate(fd_, 0) != 0) return false;
    tail.resize(static_cast<std::size_t>(count));
    const auto line_end = std::ranges::find(tail, '\n');
    const auto start = line_end == tail.end() ? tail.begin() : line_end + 1;
    const auto kept = static_cast<std::size_t>(tail.end() - start);
    return kept == 0 || write(fd_, &*start, kept) == static_cast<ssize_t>(kept);
  }

 private:
  int fd_;
};

}  // namespace

void shorten_console_logs(const std::string& directory, std::int64_t bytes_max) {
  std::error_code fault;
  for (fs::directory_iterator entry(directory, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (entry->path().extension() != ".log") continue;
    LogFile file(entry->path());
    const auto size = file.size();
    if (size <= bytes_max) continue;
    const bool is_kept = file.keep_tail(bytes_max / 4);
    core::log::warning(
        "console_log_shortened",
        {{"file", entry->path().filename().string()}, {"bytes", size}, {"is_tail_kept", is_kept}});
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

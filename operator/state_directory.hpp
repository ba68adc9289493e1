// The one directory of a deployment: where each file lies, and how files are written there (whole,
// by rename, for the owner alone). Everything that `nucleus up` starts keeps below it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace nucleus::op {

class StateDirectory {
 public:
  /// `root` is made absolute; nothing is created.
  explicit StateDirectory(const std::filesystem::path& root);
  /// $NUCLEUS_STATE, else /var/lib/nucleus as root, else ~/.nucleus.
  static std::filesystem::path default_root();

  /// Makes the folders (mode 700); refuses a path too long for the unix sockets below it.
  core::Result<void> create() const;
  bool exists() const;
  /// True where it holds a key (`settings.yaml`) for a bus elsewhere, and no deployment.
  bool is_remote() const;

  const std::string& root() const { return root_; }
  std::string file(const std::string& relative) const { return root_ + "/" + relative; }
  std::string pid_file(const std::string& name) const { return file("pids/" + name); }
  std::string log_file(const std::string& name) const { return file("logs/" + name + ".log"); }
  std::string settings_file(const std::string& name) const {
    return file("config/" + name + ".yaml");
  }
  std::string requests_url() const { return "ipc://" + file("run/bus.sock"); }
  std::string events_url() const { return "ipc://" + file("run/events.sock"); }
  std::string redis_socket() const { return file("run/redis.sock"); }

 private:
  std::string root_;
};

/// Puts `content` there by write and rename, mode 600.
core::Result<void> write_file(const std::string& path, const std::string& content);
/// The whole file, or nothing where it cannot be read.
std::optional<std::string> read_file(const std::string& path);

/// Held by one process at a time, gone with its end however it ends.
class FileLock {
 public:
  /// Tries, or waits for it with `is_waiting`.
  static std::optional<FileLock> take(const std::string& path, bool is_waiting);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_{descriptor} {}
  int descriptor_;
};

}  // namespace nucleus::op

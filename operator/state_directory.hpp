// The state directory of a deployment: the places of its files, and how they are written (by
// rename, readable by the owner only). All data of what `nucleus up` starts is below it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace nucleus::operator_ {

class StateDirectory {
 public:
  /// Makes `root` absolute; creates nothing.
  explicit StateDirectory(const std::filesystem::path& root);
  /// $NUCLEUS_STATE; otherwise /var/lib/nucleus for root, ~/.nucleus for others.
  static std::filesystem::path default_root();

  /// Creates the folders with mode 700. Refuses a path that is too long for unix sockets below it,
  /// and a directory with other content, which it leaves unchanged.
  core::Result<void> create() const;
  bool exists() const;
  /// True if it contains a key (`settings.yaml`) for a remote bus, and no deployment.
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
  core::Result<void> check_content() const;

  std::string root_;
};

/// The message for commands that need a deployment.
std::string no_deployment(const StateDirectory& state);

/// Writes the file by rename, with mode 600.
core::Result<void> write_file(const std::string& path, const std::string& content);
/// The whole file; nothing if it cannot be read.
std::optional<std::string> read_file(const std::string& path);

/// Held by one process at a time; released when it ends, in whatever way.
class FileLock {
 public:
  /// Waits for the lock with `is_waiting`, otherwise returns nothing if it is held.
  static std::optional<FileLock> take(const std::string& path, bool is_waiting);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_{descriptor} {}
  int descriptor_;
};

}  // namespace nucleus::operator_

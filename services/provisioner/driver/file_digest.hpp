// The SHA-256 of large files, which takes minutes: without waiting for it, or at once. Any thread.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "core/loop/posix_loop.hpp"
#include "messages/common.hpp"

namespace nucleus::provisioner {

struct FileDigest {
  std::uint64_t size_bytes = 0;
  std::string sha256 = {};  // hex
};

/// Reads the file to its end. Blocks. `unavailable`: `is_stopped` was set meanwhile.
core::Result<FileDigest> digest_of(const std::string& path, const std::atomic<bool>& is_stopped);
core::Result<FileDigest> digest_of(const std::string& path);

/// The digests of files that do not change any more: one for each node, on a thread of its own.
class FileDigests {
 public:
  FileDigests() = default;
  ~FileDigests();
  FileDigests(const FileDigests&) = delete;
  FileDigests& operator=(const FileDigests&) = delete;

  /// Nothing while the file is being read; the reading begins with the first call, and again if the
  /// file has changed since.
  core::Result<std::optional<FileDigest>> find(const msg::NodeId& node_id, const std::string& path);
  void forget(const msg::NodeId& node_id);

 private:
  struct Entry {
    struct stat of {};  // the file that is read
    std::optional<core::Result<FileDigest>> found = {};
  };
  void read(const msg::NodeId& node_id, const std::string& path, const struct stat& of);

  std::mutex mutex_ = {};
  std::map<msg::NodeId, Entry> entries_ = {};  // guarded by mutex_
  std::atomic<bool> is_stopped_ = false;
  core::ThreadWorkers workers_{1};  // last: its thread uses the others
};

}  // namespace nucleus::provisioner

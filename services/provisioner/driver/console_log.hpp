// The logs of the serial consoles. QEMU appends a domain's output to its log for as long as the
// domain runs, whoever else does. A byte's offset in the file never changes: a log that grows over
// its limit loses its oldest bytes to a hole, and keeps its length. Blocks.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "core/files/descriptor.hpp"

namespace nucleus::provisioner {

/// A log, opened to be read while QEMU appends to it. A link in place of a log is not followed.
class ConsoleLog {
 public:
  struct Part {
    std::int64_t offset = 0;  // of its first byte: larger than the one asked for if that is lost
    std::string bytes = {};   // empty at the end
  };

  /// Of a log that does not exist, `id` is empty and every part too.
  ConsoleLog(const std::string& path, std::int64_t bytes_max);

  /// 16 hex digits: the same for as long as the file exists, another one for another file.
  const std::string& id() const { return id_; }
  std::int64_t begin() const;  // offset of the first byte that is kept
  std::int64_t end() const;
  /// At most `bytes_max` bytes from an offset on.
  Part read(std::int64_t offset, std::size_t bytes_max) const;

 private:
  core::Descriptor file_;
  std::int64_t bytes_max_;
  std::int64_t hole_end_ = 0;  // when it was opened
  std::string id_ = {};
};

/// Frees the disk space of all but the last `bytes_max` bytes of each *.log in `directory`. On a
/// file system without holes, a log of four times as many bytes is emptied.
void shorten_console_logs(const std::string& directory, std::int64_t bytes_max);

/// Removes the logs of all domains but these, so that the log of a removed node goes with it. A log
/// that was written to within a minute stays: its domain may have been started meanwhile.
void remove_console_logs(const std::string& directory, const std::set<std::string>& domains_kept);

}  // namespace nucleus::provisioner

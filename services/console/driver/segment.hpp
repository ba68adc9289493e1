// The file of one recording: ID.part while it is being written, ID.cast once it is sealed. On the
// recorder's thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/files/descriptor.hpp"
#include "core/result.hpp"
#include "services/console/driver/asciicast.hpp"

namespace nucleus::console {

class Segment {
 public:
  /// The file is made with its first line.
  Segment(std::filesystem::path folder, msg::Recording recording)
      : folder_{std::move(folder)},
        recording_{std::move(recording)},
        lines_{recording_.begin_offset} {}

  /// An error: the bytes are lost. The next ones that can be written are after a gap.
  core::Result<void> append(std::chrono::milliseconds since, std::uint64_t offset,
                            std::string_view bytes);
  /// Completes the file, durably. The recording is `missing` if nothing of it was written.
  core::Result<void> seal(std::chrono::milliseconds since, std::uint64_t end_offset,
                          std::int64_t end_unix_ms);
  /// Makes what was written durable.
  void sync();

  const msg::Recording& recording() const { return recording_; }

 private:
  core::Result<void> open();
  core::Result<void> write(std::string_view text);

  std::filesystem::path folder_;
  msg::Recording recording_;
  OutputLines lines_;
  std::unique_ptr<core::Descriptor> file_ = {};
  std::size_t header_bytes_ = 0;
  bool is_dirty_ = false;
};

std::filesystem::path part_file(const std::filesystem::path& folder, const std::string& id);
std::filesystem::path sealed_file(const std::filesystem::path& folder, const std::string& id);

/// Reads the recording of a sealed file from its header.
core::Result<msg::Recording> read_sealed(const std::filesystem::path& file);

/// Seals the file of a process that has crashed: it ends with its last whole line. A file without a
/// whole header, of which nothing was recorded, is removed: `not_found`.
core::Result<msg::Recording> recover(const std::filesystem::path& folder, const std::string& id);

}  // namespace nucleus::console

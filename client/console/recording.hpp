// A recording of a console in the format asciicast v2, which `asciinema play` shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/files/descriptor.hpp"
#include "core/result.hpp"

namespace nucleus::client {

/// The lines of an asciicast.
class Asciicast {
 public:
  static std::string header(int columns, int rows, std::int64_t begin_unix_s);
  /// The line of output that came that long after the header. A character that `bytes` begins is
  /// kept until the rest of it comes; empty if there is nothing else.
  std::string output(std::chrono::milliseconds since, std::string_view bytes);

 private:
  std::string unfinished_ = {};
};

/// An asciicast in a file, which is complete after each call. On one thread.
class Recording {
 public:
  /// Replaces the content; a new file has mode 0600. `invalid_argument`: it cannot be written.
  static core::Result<std::unique_ptr<Recording>> open(const std::string& path, int columns,
                                                       int rows);

  core::Result<void> add(std::string_view bytes);

 private:
  using Clock = std::chrono::steady_clock;

  Recording(std::string path, int file) : path_{std::move(path)}, file_{file} {}
  core::Result<void> write_line(const std::string& line);

  std::string path_;
  core::Descriptor file_;
  Asciicast asciicast_ = {};
  Clock::time_point begin_ = Clock::now();
};

}  // namespace nucleus::client

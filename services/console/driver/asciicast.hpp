// The lines of a recording's file, in the format asciicast v2: a header, output, and markers where
// the bytes of the log are not those of the line. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/recordings.hpp"

namespace nucleus::console {

/// Padded to `size_min` bytes, and with room for the end that is not known yet: the header is
/// written again in its place.
std::string header_line(const msg::Recording& recording, std::size_t size_min = 0);
/// Nothing if it is not the header of a recording.
std::optional<msg::Recording> parse_header(std::string_view line);

class OutputLines {
 public:
  /// `offset`: of the first byte in the log.
  explicit OutputLines(std::uint64_t offset) : written_{offset} {}

  /// The lines of output from this offset on, and of the gap before it. Bytes that were given
  /// already are skipped. A character that is not complete is kept until the rest of it comes.
  std::string output(std::chrono::milliseconds since, std::uint64_t offset, std::string_view bytes);
  /// The lines of what is kept, and of the gap up to the end.
  std::string finish(std::chrono::milliseconds since, std::uint64_t end);

  std::uint64_t written() const { return written_; }  // offset after the last byte of a line
  std::uint64_t lost() const { return lost_; }        // bytes in gaps

 private:
  std::string flush(std::chrono::milliseconds since);
  std::string gap(std::chrono::milliseconds since, std::uint64_t to);

  std::uint64_t written_;
  std::uint64_t lost_ = 0;
  std::string unfinished_ = {};
};

/// Follows the lines of a file: where its log had got to.
class LineReader {
 public:
  explicit LineReader(std::uint64_t offset) : offset_{offset} {}

  /// False if it is not a line of a recording.
  bool read(std::string_view line);

  std::uint64_t offset() const { return offset_; }
  std::uint64_t lost() const { return lost_; }
  std::chrono::milliseconds since() const { return since_; }  // the header, of the last line

 private:
  std::uint64_t offset_;
  std::uint64_t lost_ = 0;
  std::chrono::milliseconds since_{0};
};

}  // namespace nucleus::console

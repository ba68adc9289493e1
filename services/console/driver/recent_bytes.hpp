// The most recent bytes of a stream, addressed by their offset.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace nucleus::console {

class RecentBytes {
 public:
  /// Keeps at least the last `kept` bytes, and at most twice as many beside the newest append.
  explicit RecentBytes(std::size_t kept) : kept_{kept} {}

  void append(std::string_view bytes) {
    bytes_ += bytes;
    if (bytes_.size() <= 2 * kept_) return;
    const std::size_t dropped = bytes_.size() - kept_;
    bytes_.erase(0, dropped);
    begin_ += dropped;
  }

  /// Drops all bytes: the next one has this offset.
  void restart(std::uint64_t offset) {
    bytes_.clear();
    begin_ = offset;
  }

  std::uint64_t begin() const { return begin_; }  // offset of the oldest byte that is kept
  std::uint64_t end() const { return begin_ + bytes_.size(); }
  /// The bytes from `offset` on, which is in [begin, end]; valid until the next append.
  std::string_view from(std::uint64_t offset) const {
    return std::string_view(bytes_).substr(offset - begin_);
  }

 private:
  std::size_t kept_;
  std::uint64_t begin_ = 0;
  std::string bytes_ = {};
};

}  // namespace nucleus::console

// What an open answer still has to say: put in from any thread, taken out on the connection's.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>

namespace nucleus::gateway {

class StreamQueue {
 public:
  /// `too_slow`: more than `bytes_max` would wait, and it is closed now. `first`: whoever writes is
  /// to be woken.
  enum class Put { closed, too_slow, first, behind_others };

  explicit StreamQueue(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  void open() { is_open_ = true; }
  void close() { is_open_ = false; }
  bool is_open() const { return is_open_; }

  std::size_t waiting_bytes() const {
    const std::scoped_lock lock{mutex_};
    return bytes_;
  }

  Put put(std::string text) {
    const std::scoped_lock lock{mutex_};
    if (!is_open_) return Put::closed;
    bytes_ += text.size();
    if (bytes_ > bytes_max_) {
      is_open_ = false;
      return Put::too_slow;
    }
    waiting_.push_back(std::move(text));
    return waiting_.size() == 1 ? Put::first : Put::behind_others;
  }
  /// All that waits, joined; it stays until it was taken. Empty where it is closed.
  std::string all() const {
    const std::scoped_lock lock{mutex_};
    std::string joined;
    if (is_open_)
      for (const auto& text : waiting_) joined += text;
    return joined;
  }
  /// The first alone.
  std::string first() const {
    const std::scoped_lock lock{mutex_};
    return is_open_ && !waiting_.empty() ? waiting_.front() : std::string();
  }
  /// So many bytes of whole texts were sent; true where more waits.
  bool took(std::size_t bytes) {
    const std::scoped_lock lock{mutex_};
    bytes_ -= bytes;
    while (bytes > 0) {
      bytes -= waiting_.front().size();
      waiting_.pop_front();
    }
    return !waiting_.empty();
  }

 private:
  const std::size_t bytes_max_;
  std::atomic<bool> is_open_ = false;
  mutable std::mutex mutex_ = {};
  std::deque<std::string> waiting_ = {};
  std::size_t bytes_ = 0;
};

}  // namespace nucleus::gateway

// What an open response has still to send. Any thread adds; the server's thread removes.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>

namespace nucleus::core::http {

class StreamQueue {
 public:
  /// `wake_writer`: the queue was empty, and the writer is idle. `overflow`: more than `bytes_max`
  /// would be queued; the queue is closed now.
  enum class Put { queued, wake_writer, overflow, closed };

  explicit StreamQueue(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  void open() { is_open_ = true; }
  void close() { is_open_ = false; }
  bool is_open() const { return is_open_; }

  std::size_t queued_bytes() const {
    const std::scoped_lock lock{mutex_};
    return bytes_;
  }

  Put put(std::string text) {
    const std::scoped_lock lock{mutex_};
    if (!is_open_) return Put::closed;
    bytes_ += text.size();
    if (bytes_ > bytes_max_) {
      is_open_ = false;
      return Put::overflow;
    }
    texts_.push_back(std::move(text));
    return texts_.size() == 1 ? Put::wake_writer : Put::queued;
  }
  /// All texts joined; they stay queued until `pop`. Empty if the queue is closed.
  std::string joined() const {
    const std::scoped_lock lock{mutex_};
    std::string all;
    if (is_open_)
      for (const auto& text : texts_) all += text;
    return all;
  }
  /// The first text alone.
  std::string first() const {
    const std::scoped_lock lock{mutex_};
    return is_open_ && !texts_.empty() ? texts_.front() : std::string();
  }
  /// Removes the first texts, `bytes` in all; true if more are queued.
  bool pop(std::size_t bytes) {
    const std::scoped_lock lock{mutex_};
    bytes_ -= bytes;
    while (bytes > 0) {
      bytes -= texts_.front().size();
      texts_.pop_front();
    }
    return !texts_.empty();
  }

 private:
  const std::size_t bytes_max_;
  std::atomic<bool> is_open_ = false;
  mutable std::mutex mutex_ = {};
  std::deque<std::string> texts_ = {};
  std::size_t bytes_ = 0;
};

}  // namespace nucleus::core::http

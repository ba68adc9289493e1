// The right to a session that is open or being opened. It may change and end on any thread; the
// session then ends on its own.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

namespace nucleus::console {

class SessionRight {
 public:
  /// Whether the viewer may take the writer's role from anybody.
  bool may_take_over() const { return may_take_over_; }
  void let_take_over(bool may) { may_take_over_ = may; }
  /// Calls `handler` once when the right ends; at once if it has ended.
  void on_end(std::function<void()> handler) {
    {
      const std::scoped_lock lock{mutex_};
      if (!has_ended_) {
        handler_ = std::move(handler);
        return;
      }
    }
    handler();
  }
  void end() {
    std::function<void()> handler;
    {
      const std::scoped_lock lock{mutex_};
      has_ended_ = true;
      handler = std::exchange(handler_, {});
    }
    if (handler) handler();
  }

 private:
  std::mutex mutex_;
  bool has_ended_ = false;
  std::function<void()> handler_ = {};
  std::atomic<bool> may_take_over_ = false;
};

}  // namespace nucleus::console

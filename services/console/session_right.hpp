// The right to a session that is open or being opened. It may end on any thread; the session then
// ends on its own.
#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace nucleus::console {

class SessionRight {
 public:
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
};

}  // namespace nucleus::console

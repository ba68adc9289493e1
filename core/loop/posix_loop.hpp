// The real loop: poll(2), a timer heap and an eventfd that wakes it from other threads; and the
// real worker pool.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "core/loop/loop.hpp"

namespace nucleus::core {

class PosixLoop : public Loop {
 public:
  PosixLoop();
  ~PosixLoop() override;
  void post(std::function<void()> task) override;
  void after(Milliseconds delay, std::function<void()> task) override;
  std::int64_t steady_ms() const override;
  std::int64_t steady_us() const override;
  std::int64_t unix_ms() const override;
  std::string new_id() override;

  /// Calls `drain` whenever `descriptor` became readable and before each wait: it must read until
  /// nothing is left. From the loop's thread, or before `run`.
  void watch(int descriptor, std::function<void()> drain);
  /// Forgets a watched descriptor; its drain is not called again. From the loop's thread.
  void unwatch(int descriptor);
  /// Runs until `stop`, and may be run again. The thread that calls it is the loop's thread.
  void run();
  /// From any thread or a signal handler's thread; `run` returns soon.
  void stop();
  /// How long it has worked rather than waited. From any thread.
  double busy_seconds() const { return static_cast<double>(busy_us_) / 1e6; }

 private:
  void run_posted();
  void drain_watched();
  void run_timers();
  int milliseconds_to_timer() const;  // -1 = there is none

  int wake_descriptor_;
  std::mutex mutex_ = {};
  std::deque<std::function<void()>> posted_ = {};
  bool is_stopped_ = false;
  std::atomic<std::int64_t> busy_us_ = 0;
  std::multimap<std::int64_t, std::function<void()>> timers_ = {};
  std::vector<std::pair<int, std::function<void()>>> watched_ = {};
};

/// A fixed number of threads taking work in order. Work still waiting at the end is dropped.
class ThreadWorkers : public Workers {
 public:
  explicit ThreadWorkers(std::size_t thread_count);
  ~ThreadWorkers() override;
  void submit(std::function<void()> work) override;
  /// Waits for the work under way, drops what waits, and takes no more: call before what the work
  /// uses goes away.
  void stop();

 private:
  void serve();

  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::deque<std::function<void()>> waiting_ = {};
  bool is_stopped_ = false;
  std::vector<std::jthread> threads_ = {};
};

}  // namespace nucleus::core

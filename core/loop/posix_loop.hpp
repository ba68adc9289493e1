// The real loop: poll(2), timers, and an eventfd that wakes it from other threads; and the real
// worker pool.
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

  /// Calls `drain` when `descriptor` is readable and before each wait; it must read everything that
  /// is available. From the loop's thread, or before `run`.
  void watch(int descriptor, std::function<void()> drain);
  /// Stops watching a descriptor; its `drain` is not called again. From the loop's thread.
  void unwatch(int descriptor);
  /// Runs until `stop`, and may be called again. The calling thread is the loop's thread.
  void run();
  /// Makes `run` return after its current turn. From any thread.
  void stop();
  /// Time spent running tasks instead of waiting. From any thread.
  double busy_seconds() const { return static_cast<double>(busy_us_) / 1e6; }

 private:
  void run_posted();
  void drain_watched();
  void run_timers();
  int milliseconds_to_timer() const;  // -1 = no timer

  int wake_descriptor_;
  std::mutex mutex_ = {};
  std::deque<std::function<void()>> posted_ = {};
  bool is_stopped_ = false;
  std::atomic<std::int64_t> busy_us_ = 0;
  std::multimap<std::int64_t, std::function<void()>> timers_ = {};
  std::vector<std::pair<int, std::function<void()>>> watched_ = {};
};

/// A fixed number of threads. Work still queued at the end is dropped.
class ThreadWorkers : public Workers {
 public:
  explicit ThreadWorkers(std::size_t thread_count);
  ~ThreadWorkers() override;
  void submit(std::function<void()> work) override;
  /// Waits for running work, drops queued work and accepts no more. Call before destroying what the
  /// work uses.
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

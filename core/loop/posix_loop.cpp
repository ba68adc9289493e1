#include "core/loop/posix_loop.hpp"

#include <poll.h>
#include <sodium.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "core/digest/digest.hpp"

namespace nucleus::core {

PosixLoop::PosixLoop() : wake_descriptor_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  if (wake_descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  if (sodium_init() < 0) throw std::runtime_error("no random number source");
}

PosixLoop::~PosixLoop() {
  close(wake_descriptor_);
}

void PosixLoop::post(std::function<void()> task) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = posted_.empty();
    posted_.push_back(std::move(task));
  }
  // One wake-up is enough for all tasks posted before the loop takes them.
  if (is_first) eventfd_write(wake_descriptor_, 1);
}

void PosixLoop::after(Milliseconds delay, std::function<void()> task) {
  timers_.emplace(steady_ms() + delay.count(), std::move(task));
}

std::int64_t PosixLoop::steady_ms() const {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::int64_t PosixLoop::steady_us() const {
  using namespace std::chrono;
  return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

std::int64_t PosixLoop::unix_ms() const {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::string PosixLoop::new_id() {
  std::array<unsigned char, 16> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

void PosixLoop::watch(int descriptor, std::function<void()> drain) {
  watched_.emplace_back(descriptor, std::move(drain));
}

void PosixLoop::unwatch(int descriptor) {
  for (auto& [watched, drain] : watched_)
    if (watched == descriptor) drain = nullptr;
}

void PosixLoop::drain_watched() {
  // By index and by copy, because a drain may watch or unwatch.
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    const auto drain = watched_[i].second;
    if (drain) drain();
  }
  std::erase_if(watched_, [](const auto& entry) { return !entry.second; });
}

void PosixLoop::run_posted() {
  std::deque<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) task();
}

void PosixLoop::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= steady_ms()) {
    auto task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
  }
}

int PosixLoop::milliseconds_to_timer() const {
  if (timers_.empty()) return -1;
  return static_cast<int>(
      std::clamp<std::int64_t>(timers_.begin()->first - steady_ms(), 0, 60'000));
}

void PosixLoop::run() {
  std::vector<pollfd> descriptors;
  while (true) {
    const std::int64_t woken_us = steady_us();
    run_posted();
    // A ZeroMQ descriptor is edge-triggered, and sending on the socket may consume the edge: every
    // socket is drained before each wait, and again after the timers, which may send.
    drain_watched();
    run_timers();
    drain_watched();
    int wait_ms = milliseconds_to_timer();
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(is_stopped_, false)) return;
      if (!posted_.empty()) wait_ms = 0;
    }
    descriptors.assign(1, {wake_descriptor_, POLLIN, 0});
    for (const auto& [descriptor, drain] : watched_) descriptors.push_back({descriptor, POLLIN, 0});
    busy_us_ += steady_us() - woken_us;
    poll(descriptors.data(), descriptors.size(), wait_ms);
    eventfd_t count = 0;
    eventfd_read(wake_descriptor_, &count);
  }
}

void PosixLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  eventfd_write(wake_descriptor_, 1);
}

ThreadWorkers::ThreadWorkers(std::size_t thread_count) {
  for (std::size_t i = 0; i < thread_count; ++i) threads_.emplace_back([this] { serve(); });
}

ThreadWorkers::~ThreadWorkers() {
  stop();
}

void ThreadWorkers::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  threads_.clear();
}

void ThreadWorkers::submit(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_) return;
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void ThreadWorkers::serve() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopped_ || !waiting_.empty(); });
      if (is_stopped_) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace nucleus::core

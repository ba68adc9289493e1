#include "core/state/journal_queue.hpp"

#include <csignal>

namespace nucleus::core {

JournalQueue::JournalQueue(std::function<void(std::deque<JournalCall>)> process)
    : process_{std::move(process)}, thread_{[this] { run(); }} {}

JournalQueue::~JournalQueue() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JournalQueue::push(JournalCall call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(call));
  }
  changed_.notify_one();
}

void JournalQueue::run() {
  // A write to a socket that its server has closed must fail instead of killing the process.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (true) {
    std::deque<JournalCall> calls;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopped_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      calls.swap(waiting_);
    }
    process_(std::move(calls));
  }
}

}  // namespace nucleus::core

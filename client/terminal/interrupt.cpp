#include "client/terminal/interrupt.hpp"

#include <poll.h>
#include <sys/time.h>

#include <atomic>
#include <csignal>

namespace nucleus::client {

namespace {

// A signal handler can access globals only.
std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

/// Sends SIGALRM after each interval; 0 ends it.
void repeat_alarm(long interval_us) {
  const timeval interval{.tv_sec = 0, .tv_usec = interval_us};
  const itimerval timer{.it_interval = interval, .it_value = interval};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) {
    constexpr long interval_us = 20'000;
    interrupted = true;
    // libedit notices a signal only if it interrupts read(): the alarm covers one that arrived just
    // before.
    repeat_alarm(interval_us);
  };
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = [](int) {};
  sigaction(SIGALRM, &action, nullptr);
}

bool is_interrupted() {
  return interrupted;
}

void interrupt() {
  interrupted = true;
}

void clear_interrupt() {
  interrupted = false;
  repeat_alarm(0);
}

void sleep_until_interrupt(std::chrono::milliseconds duration) {
  constexpr long ns_per_ms = 1'000'000;
  constexpr long ms_per_s = 1'000;
  const timespec timeout{.tv_sec = duration.count() / ms_per_s,
                         .tv_nsec = duration.count() % ms_per_s * ns_per_ms};
  // Blocked except during ppoll, so that a signal just before the call ends it too.
  sigset_t interrupt;
  sigset_t before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before);
  if (!is_interrupted()) ppoll(nullptr, 0, &timeout, &before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace nucleus::client

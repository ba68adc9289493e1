#include "client/terminal/interrupt.hpp"

#include <poll.h>

#include <csignal>

namespace nucleus::client {

namespace {

// A signal handler reaches nothing but a global.
volatile std::sig_atomic_t interrupted = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
}

bool is_interrupted() {
  return interrupted != 0;
}

void clear_interrupt() {
  interrupted = 0;
}

void sleep_until_interrupt(std::chrono::milliseconds duration) {
  constexpr long ns_per_ms = 1'000'000;
  constexpr long ms_per_s = 1'000;
  const timespec timeout{.tv_sec = duration.count() / ms_per_s,
                         .tv_nsec = duration.count() % ms_per_s * ns_per_ms};
  // Blocked but within ppoll: a signal just before it ends it, too.
  sigset_t interrupt;
  sigset_t before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before);
  if (!is_interrupted()) ppoll(nullptr, 0, &timeout, &before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace nucleus::client

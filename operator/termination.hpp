// Waiting for the end, as process 1 of a container: it gets no default action for signals.
#pragma once

#include <csignal>

namespace nucleus::operator_ {

inline sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Before any thread starts, so that a signal is not delivered to one of them.
inline void hold_termination() {
  const auto signals = termination_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

/// Returns when a signal that is held has been sent.
inline void await_termination() {
  const auto signals = termination_signals();
  int signal = 0;
  sigwait(&signals, &signal);
}

}  // namespace nucleus::operator_

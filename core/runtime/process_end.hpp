// How a process ended: with an exit status, or by a signal.
#pragma once

#include <sys/wait.h>

#include <string>

#include "messages/fields.hpp"

namespace nucleus::core {

/// unknown: the exit status was not collected.
NUCLEUS_ENUM(ProcessEndKind, exited, signalled)

struct ProcessEnd {
  ProcessEndKind kind = ProcessEndKind::unknown;
  int code = 0;  // exit status, or signal number
  bool operator==(const ProcessEnd&) const = default;
};

constexpr ProcessEnd exited(int status) {
  return {ProcessEndKind::exited, status};
}

constexpr ProcessEnd signalled(int signal) {
  return {ProcessEndKind::signalled, signal};
}

constexpr bool is_success(const ProcessEnd& end) {
  return end == exited(0);
}

/// From what waitpid(2) returned.
inline ProcessEnd process_end_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? signalled(WTERMSIG(wait_status))
                                  : exited(WEXITSTATUS(wait_status));
}

/// `exit status 2`, `signal 9`, `ended`.
inline std::string shown(const ProcessEnd& end) {
  switch (end.kind) {
    case ProcessEndKind::exited:
      return "exit status " + std::to_string(end.code);
    case ProcessEndKind::signalled:
      return "signal " + std::to_string(end.code);
    case ProcessEndKind::unknown:
      break;
  }
  return "ended";
}

}  // namespace nucleus::core

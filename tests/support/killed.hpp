// Runs a function in a process that is killed by SIGKILL just before one of its system calls that
// change files, so that a test can stop it at each.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>

namespace nucleus::tests {

inline bool changes_files(const user_regs_struct& call) {
  constexpr std::array changing{SYS_rename, SYS_renameat, SYS_renameat2, SYS_unlink, SYS_unlinkat,
                                SYS_rmdir,  SYS_link,     SYS_linkat,    SYS_mkdir,  SYS_mkdirat,
                                SYS_chmod,  SYS_fchmodat, SYS_fsync,     SYS_write};
  const auto number = static_cast<long>(call.orig_rax);
  if (number == SYS_openat) return (call.rdx & O_CREAT) != 0;
  return std::ranges::find(changing, number) != changing.end();
}

/// Returns whether it was killed; false: `work` makes fewer than `count` such calls. Its child
/// processes are not counted. Only while this process has one thread.
inline bool run_and_kill(int count, const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    work();
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
    throw std::runtime_error("the process cannot be traced");
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool is_in_call = false;
  int seen = 0;
  int signal_number = 0;
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, nullptr, signal_number);
    if (waitpid(child, &status, 0) != child) throw std::runtime_error("the process was lost");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
    if (!WIFSTOPPED(status)) throw std::runtime_error("the process has failed");
    signal_number = WSTOPSIG(status);
    if (signal_number != (SIGTRAP | 0x80)) continue;
    signal_number = 0;
    is_in_call = !is_in_call;
    user_regs_struct call{};
    ptrace(PTRACE_GETREGS, child, nullptr, &call);
    if (!is_in_call || !changes_files(call) || ++seen < count) continue;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return true;
  }
}

}  // namespace nucleus::tests

// nucleus-confine PROGRAM ARGUMENTS...: replaces itself by the program, which may then make only
// the system calls that reading, computing and writing an open file need: no sockets, no tracing,
// no mounts, no new rights. A system call that is not listed fails with ENOSYS, so that libraries
// fall back to older ones.
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace {

constexpr int exit_cannot_confine = 125;
constexpr int exit_cannot_run = 126;

constexpr std::array allowed{
    // memory
    "brk", "madvise", "mmap", "mprotect", "mremap", "munmap", "get_mempolicy", "set_mempolicy",
    // files
    "access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64",
    "fallocate", "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd",
    "getdents64", "ioctl", "lseek", "lstat", "newfstatat", "open", "openat", "pipe", "pipe2",
    "pread64", "preadv", "pwrite64", "pwritev", "read", "readlink", "readlinkat", "readv", "stat",
    "statfs", "statx", "write", "writev",
    // processes, threads and signals
    "arch_prctl", "clone", "clone3", "execve", "exit", "exit_group", "futex", "getegid", "geteuid",
    "getgid", "getpid", "getppid", "gettid", "getuid", "prctl", "prlimit64", "restart_syscall",
    "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield",
    "set_robust_list", "set_tid_address", "sigaltstack", "tgkill", "uname", "vfork", "wait4",
    "waitid",
    // waiting and time
    "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_wait", "eventfd2", "getrandom", "gettimeofday", "nanosleep", "poll", "ppoll", "pselect6",
    "select", "signalfd4", "sysinfo", "timerfd_create", "timerfd_settime"};

/// False if the kernel has no such filter; `errno` says why.
bool install_filter() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
  if (!filter) return false;
  int fault = 0;
  for (const char* name : allowed) {
    const int number = seccomp_syscall_resolve_name(name);
    // Not every architecture has each of them.
    if (number >= 0 && fault == 0) fault = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
  }
  if (fault == 0) fault = seccomp_load(filter);  // sets no_new_privs too
  seccomp_release(filter);
  errno = -fault;
  return fault == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: nucleus-confine PROGRAM ARGUMENTS...\n", stderr);
    return exit_cannot_confine;
  }
  if (!install_filter()) {
    std::fprintf(stderr, "nucleus-confine: no seccomp filter: %s\n", std::strerror(errno));
    return exit_cannot_confine;
  }
  execvp(argv[1], argv + 1);
  std::fprintf(stderr, "nucleus-confine: %s: %s\n", argv[1], std::strerror(errno));
  return exit_cannot_run;
}

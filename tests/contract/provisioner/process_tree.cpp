// The keeper is forked from a program with threads, so it calls only async-signal-safe functions.
#include "tests/contract/provisioner/process_tree.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

extern char** environ;

namespace nucleus::test {

namespace {

void kill_children() {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  char list[4096];
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t size = read(file, list, sizeof list - 1);
  close(file);
  list[size > 0 ? size : 0] = '\0';
  for (char* at = list; *at != '\0' && *at != '\n';) {
    char* end = nullptr;
    const long pid = strtol(at, &end, 10);
    if (end == at) break;
    kill(static_cast<pid_t>(pid), SIGKILL);
    at = *end == ' ' ? end + 1 : end;
  }
}

/// Reaps until the line closes, then kills one generation after another: orphans become children.
[[noreturn]] void keep(int line, char* const* argv) {
  // Inherited copies of other trees' lines would keep those trees alive.
  dup2(line, 3);
  line = 3;
  close_range(4, ~0U, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, nullptr);
  const int ended = signalfd(-1, &children, SFD_CLOEXEC);

  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  pid_t pid = 0;
  if (posix_spawn(&pid, argv[0], &files, &attributes, argv, environ) != 0) pid = -1;
  if (write(line, &pid, sizeof pid) != sizeof pid || pid < 0) _exit(1);

  pollfd watched[] = {{ended, POLLIN, 0}, {line, POLLIN, 0}};
  while (true) {
    poll(watched, 2, -1);
    if (watched[0].revents) {
      signalfd_siginfo ignored;
      if (read(ended, &ignored, sizeof ignored) < 0) _exit(1);
    }
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (watched[1].revents) {
      kill_children();
      if (waitpid(-1, nullptr, 0) < 0) _exit(0);
    }
  }
}

}  // namespace

ProcessTree::ProcessTree(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const auto& word : argv) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("no socket pair");
  keeper_ = fork();
  if (keeper_ == 0) {
    close(ends[0]);
    keep(ends[1], pointers.data());
  }
  close(ends[1]);
  line_ = ends[0];
  if (read(line_, &pid_, sizeof pid_) != sizeof pid_ || pid_ <= 0)
    throw std::runtime_error("cannot start " + argv.front());
}

ProcessTree::~ProcessTree() {
  if (keeper_ == 0) return;
  close(line_);
  waitpid(keeper_, nullptr, 0);
}

void ProcessTree::kill_root() const {
  pollfd gone{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
  ::kill(pid_, SIGKILL);
  if (gone.fd < 0) return;
  poll(&gone, 1, -1);
  close(gone.fd);
}

}  // namespace nucleus::test

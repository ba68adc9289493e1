#include "services/provisioner/driver/outliving_process.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>

#include "core/files/descriptor.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t digits_max = 12;
constexpr int end_timeout_ms = 5'000;

bool write_pid(int file, pid_t pid) {
  std::array<char, digits_max> text{};
  const auto* end = std::to_chars(text.data(), text.data() + text.size(), pid).ptr;
  return write(file, text.data(), static_cast<std::size_t>(end - text.data())) > 0;
}

}  // namespace

pid_t read_pid(const std::string& file) {
  pid_t pid = 0;
  std::ifstream(file) >> pid;
  return pid;
}

bool start_outliving(const std::string& directory, int pid_file, const std::function<void()>& run) {
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    const pid_t grandchild = chdir(directory.c_str()) == 0 ? fork() : -1;
    if (grandchild == 0) {
      run();
      _exit(127);
    }
    _exit(grandchild > 0 && write_pid(pid_file, grandchild) ? 0 : 1);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void signal_outliving(pid_t pid, int signal, const std::function<bool()>& is_it) {
  if (pid <= 0) return;
  const core::Descriptor process{static_cast<int>(syscall(SYS_pidfd_open, pid, 0))};
  // It is compared after opening, so the descriptor cannot be of another process.
  if (!process.is_open() || !is_it()) return;
  syscall(SYS_pidfd_send_signal, process.number(), signal, nullptr, 0);
  pollfd ended{.fd = process.number(), .events = POLLIN, .revents = 0};
  if (signal == SIGKILL) (void)poll(&ended, 1, end_timeout_ms);
}

}  // namespace nucleus::provisioner

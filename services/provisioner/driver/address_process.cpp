#include "services/provisioner/driver/address_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/files/descriptor.hpp"
#include "core/files/files.hpp"
#include "services/provisioner/address_plan.hpp"
#include "services/provisioner/driver/outliving_process.hpp"

namespace nucleus::provisioner {

namespace {

using core::Descriptor;
using core::ErrorCode;

constexpr std::uintmax_t address_log_bytes_max = 64 * 1024;
constexpr std::chrono::milliseconds begin_timeout{5'000};
constexpr int begin_poll_ms = 5;
constexpr const char* system_program = "/usr/sbin/dnsmasq";  // PATH may lack that folder
constexpr std::string_view dhcp_socket = ":0043 ";           // in /proc/PID/net/udp: port 67

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string proc_file(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

/// What the new process needs; after fork() nothing may be allocated.
struct AddressStart {
  std::string directory;
  std::array<char*, 3> argv;
  int log;
  int nothing;
  int ready;   // written to when it has its namespaces
  int gate;    // read from before it begins
  int opener;  // the other end of `gate`
};

/// In the new process: only async-signal-safe calls. Other processes do not see what it mounts.
void run_dnsmasq(const AddressStart& start) {
  close(start.opener);  // so that the gate ends with the starter
  sigset_t none;
  sigemptyset(&none);
  char byte = 0;
  const bool is_ready =
      sigprocmask(SIG_SETMASK, &none, nullptr) == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      mount(start.directory.c_str(), address_files, nullptr, MS_BIND, nullptr) == 0 &&
      dup2(start.nothing, 0) == 0 && dup2(start.log, 1) == 1 && dup2(start.log, 2) == 2 &&
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && write(start.ready, "r", 1) == 1 &&
      read(start.gate, &byte, 1) == 1;
  if (is_ready) {
    close_range(3, ~0U, 0);
    execvp(start.argv[0], start.argv.data());
    execv(system_program, start.argv.data());
  }
  dprintf(2, "cannot run %s: %s\n", start.argv[0], strerrorname_np(errno));
}

/// The last line of what it wrote.
std::string last_line(const std::string& directory) {
  std::ifstream log(directory + "/log");
  std::string last;
  for (std::string line; std::getline(log, line);)
    if (!line.empty()) last = line;
  return last.empty() ? "no output" : last.substr(0, 100);
}

/// Waits until it has its socket, or has ended.
core::Result<void> wait_for_dhcp(const std::string& directory, pid_t pid) {
  const Descriptor process{static_cast<int>(syscall(SYS_pidfd_open, pid, 0))};
  const auto end = std::chrono::steady_clock::now() + begin_timeout;
  while (process.is_open() && std::chrono::steady_clock::now() < end) {
    if (text_of(proc_file(pid, "net/udp")).find(dhcp_socket) != std::string::npos) return {};
    pollfd ended{.fd = process.number(), .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, begin_poll_ms) > 0) break;
  }
  return core::refuse(ErrorCode::unavailable, "dnsmasq does not begin: " + last_line(directory));
}

}  // namespace

pid_t find_address_process(const std::string& directory) {
  const pid_t pid = read_pid(directory + "/pid");
  struct stat here {};
  struct stat there {};
  if (pid <= 0 || stat(directory.c_str(), &here) != 0) return 0;
  const auto seen = proc_file(pid, "root") + address_files;
  if (stat(seen.c_str(), &there) != 0) return 0;
  return here.st_dev == there.st_dev && here.st_ino == there.st_ino ? pid : 0;
}

bool has_interface(pid_t pid, const std::string& device) {
  std::ifstream devices(proc_file(pid, "net/dev"));
  for (std::string line; std::getline(devices, line);)
    if (line.substr(std::min(line.find_first_not_of(' '), line.size())).starts_with(device + ":"))
      return true;
  return false;
}

core::Result<void> start_address_process(const std::string& directory,
                                         const std::function<core::Result<void>(pid_t)>& connect) {
  const auto open_new = [&](const std::string& path, int flags) {
    unlink(path.c_str());
    return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
  };
  const Descriptor pid_file{open_new(directory + "/pid", 0)};
  const Descriptor log{open_new(directory + "/log", O_APPEND)};
  const Descriptor nothing{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::array<int, 2> readiness{-1, -1};
  std::array<int, 2> gate{-1, -1};
  if (pipe2(readiness.data(), O_CLOEXEC) != 0 || pipe2(gate.data(), O_CLOEXEC) != 0)
    return core::refuse_errno("cannot start dnsmasq");
  const Descriptor ready{readiness[0]};
  const Descriptor gate_end{gate[0]};
  const Descriptor opener{gate[1]};
  std::string program = "dnsmasq";
  std::string options = std::string("--conf-file=") + address_files + "/options";
  bool is_started = false;
  {
    const Descriptor ready_end{readiness[1]};
    const AddressStart start{.directory = directory,
                             .argv = {program.data(), options.data(), nullptr},
                             .log = log.number(),
                             .nothing = nothing.number(),
                             .ready = readiness[1],
                             .gate = gate[0],
                             .opener = gate[1]};
    is_started = pid_file.is_open() && log.is_open() && nothing.is_open() &&
                 start_outliving(directory, pid_file.number(), [&] { run_dnsmasq(start); });
  }
  if (!is_started) return core::refuse_errno("cannot start dnsmasq");
  char byte = 0;
  if (read(ready.number(), &byte, 1) != 1)
    return core::refuse(ErrorCode::unavailable,
                        "dnsmasq gets no namespace: " + last_line(directory));
  const pid_t pid = find_address_process(directory);
  if (pid == 0) return core::refuse(ErrorCode::unavailable, "dnsmasq has ended");
  if (auto connected = connect(pid); !connected) return connected;
  if (write(opener.number(), "b", 1) != 1) return core::refuse_errno("dnsmasq has ended");
  return wait_for_dhcp(directory, pid);
}

void reload_address_process(const std::string& directory) {
  const pid_t pid = find_address_process(directory);
  signal_outliving(pid, SIGHUP, [&] { return find_address_process(directory) == pid; });
}

void stop_address_process(const std::string& directory) {
  const pid_t pid = find_address_process(directory);
  signal_outliving(pid, SIGKILL, [&] { return find_address_process(directory) == pid; });
}

void shorten_address_log(const std::string& directory) {
  std::error_code missing;
  const auto path = directory + "/log";
  if (std::filesystem::file_size(path, missing) > address_log_bytes_max && !missing)
    std::filesystem::resize_file(path, 0, missing);
}

}  // namespace nucleus::provisioner

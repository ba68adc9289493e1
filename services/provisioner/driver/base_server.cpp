#include "services/provisioner/driver/base_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "core/files/descriptor.hpp"
#include "core/files/files.hpp"
#include "services/provisioner/driver/outliving_process.hpp"

extern char** environ;

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::uintmax_t base_log_bytes_max = 64 * 1024;
constexpr int listen_descriptor = 3;  // the first that a process is passed by its starter
constexpr std::string_view pid_variable = "LISTEN_PID=";
constexpr std::size_t pid_digits_max = 12;

std::string pid_file(const std::string& directory) {
  return directory + "/pid";
}

/// The pid in the file, if the process with this pid has `directory` as its working directory.
pid_t served_by(const std::string& directory) {
  const pid_t pid = read_pid(pid_file(directory));
  struct stat here {};
  struct stat there {};
  if (pid <= 0 || stat(directory.c_str(), &here) != 0) return 0;
  if (stat(fmt::format("/proc/{}/cwd", pid).c_str(), &there) != 0) return 0;
  return here.st_dev == there.st_dev && here.st_ino == there.st_ino ? pid : 0;
}

core::Result<void> write_file(const std::string& path, const std::string& text, mode_t mode,
                              const QemuUser& user) {
  unlink(path.c_str());
  const core::Descriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  if (!file.is_open()) return core::refuse_errno("cannot write a file of the volume");
  if (write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return core::refuse_errno("cannot write a file of the volume");
  if (user.uid != 0 && fchown(file.number(), user.uid, user.gid) != 0)
    return core::refuse_errno("cannot give a file of the volume to QEMU's user");
  return {};
}

/// A filter of system calls that ignores PR_SET_PDEATHSIG; empty, with `errno`, if that fails.
/// nbdkit 1.32 asks for SIGTERM at its parent's end, whatever its options are: the process that
/// starts it, or the supervisor that adopts it, would end it and with it the disk of a guest.
std::vector<sock_filter> ignore_end_of_parent() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter{seccomp_init(SCMP_ACT_ALLOW),
                                                                 seccomp_release};
  const core::Descriptor file{memfd_create("filter", MFD_CLOEXEC)};
  if (!filter || !file.is_open()) return {};
  const scmp_arg_cmp is_parent_end = SCMP_A0_64(SCMP_CMP_EQ, PR_SET_PDEATHSIG);
  int fault =
      seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(0), SCMP_SYS(prctl), 1, &is_parent_end);
  if (fault == 0) fault = seccomp_export_bpf(filter.get(), file.number());
  struct stat made {};
  if (fault == 0 && fstat(file.number(), &made) != 0) fault = -errno;
  std::vector<sock_filter> program(static_cast<std::size_t>(made.st_size) / sizeof(sock_filter));
  if (fault == 0 &&
      pread(file.number(), program.data(), program.size() * sizeof(sock_filter), 0) != made.st_size)
    fault = -EIO;
  errno = -fault;
  return fault == 0 ? program : std::vector<sock_filter>{};
}

/// What the new process needs; made before fork(), after which nothing may be allocated.
struct Start {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // the last is LISTEN_PID=, with room for the number
  std::vector<sock_filter> filter;
  std::string directory;
  int listening;
  int pid_file;
  int log;
  int nothing;
  QemuUser user;
};

/// In the new process, whose parent has exited: only async-signal-safe calls.
[[noreturn]] void run(Start& start, char** argv, char** environment) {
  char* number = start.environment.back().data() + pid_variable.size();
  std::to_chars(number, number + pid_digits_max, getpid());
  sigset_t none;
  sigemptyset(&none);
  bool is_ready = sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
  if (start.user.uid != 0)
    is_ready = is_ready && setgroups(0, nullptr) == 0 && setgid(start.user.gid) == 0 &&
               setuid(start.user.uid) == 0;
  is_ready = is_ready && dup2(start.nothing, 0) == 0 && dup2(start.log, 1) == 1 &&
             dup2(start.log, 2) == 2 && dup2(start.listening, listen_descriptor) >= 0 &&
             fcntl(listen_descriptor, F_SETFD, 0) == 0;  // it may have that number already
  close_range(listen_descriptor + 1, ~0U, 0);
  const sock_fprog filter{static_cast<unsigned short>(start.filter.size()), start.filter.data()};
  is_ready = is_ready && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
             prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
  if (is_ready) execvpe(argv[0], argv, environment);
  dprintf(2, "cannot run %s: %s\n", argv[0], strerrorname_np(errno));
  _exit(127);
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

bool start_detached(Start& start) {
  auto argv = pointers(start.argv);
  auto environment = pointers(start.environment);
  return start_outliving(start.directory, start.pid_file,
                         [&] { run(start, argv.data(), environment.data()); });
}

/// Its files have relative names: as QEMU's user it may not reach them from the root.
std::vector<std::string> command(const LocalDisk& disk, BaseSource source) {
  const bool is_host = source == BaseSource::host;
  return {"nbdkit",
          "--readonly",
          "--filter=exitlast",
          "--filter=blocksize",
          "--filter=retry",
          "curl",
          "url=" + (is_host ? "http://localhost" + base_path(disk.base_content_id) : disk.base_url),
          is_host ? "protocols=http" : "protocols=https",
          "proxy=",
          is_host ? "unix-socket-path=../" + std::string(chunk_socket_name) : "cainfo=ca.pem",
          "user=volume",
          "password=+ticket",  // a script that prints a header would leave a file in /tmp
          "timeout=30",
          "maxdata=1M",
          "retries=1000000",  // days: the guest survives an outage of the image store
          "retry-delay=1",
          "retry-exponential=no"};
}

}  // namespace

int listen_at(const std::string& path, const QemuUser& user) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  unlink(path.c_str());
  const int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening < 0) return -1;
  const bool is_ready =
      bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      chmod(path.c_str(), 0600) == 0 &&
      (user.uid == 0 || chown(path.c_str(), user.uid, user.gid) == 0) &&
      listen(listening, SOMAXCONN) == 0;
  if (is_ready) return listening;
  close(listening);
  return -1;
}

bool is_base_served(const std::string& volume_directory) {
  return served_by(volume_directory) != 0;
}

core::Result<void> start_base_server(const HostVolume& volume, const std::string& ca_file,
                                     const QemuUser& user, BaseSource source) {
  const auto& directory = volume.directory;
  std::ifstream ca(ca_file, std::ios::binary);
  const std::string authorities(std::istreambuf_iterator<char>(ca), {});
  if (authorities.empty())
    return core::refuse(ErrorCode::unavailable, "the CA file of the image store cannot be read");
  if (auto done = write_file(directory + "/ca.pem", authorities, 0444, user); !done) return done;
  if (auto done = write_file(directory + "/ticket", volume.ticket + "\n", 0400, user); !done)
    return done;
  const core::Descriptor listening{listen_at(base_socket(volume), user)};
  if (!listening.is_open()) return core::refuse_errno("cannot listen for the node's disk");
  const auto open_new = [&](const std::string& path, int flags) {
    unlink(path.c_str());
    return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
  };
  const core::Descriptor pid{open_new(pid_file(directory), 0)};
  const core::Descriptor log{open_new(directory + "/log", O_APPEND)};
  const core::Descriptor nothing{open("/dev/null", O_RDONLY | O_CLOEXEC)};
  if (!pid.is_open() || !log.is_open() || !nothing.is_open())
    return core::refuse_errno("cannot write a file of the volume");
  Start start{.argv = command(*volume.disk, source),
              .environment = {},
              .filter = ignore_end_of_parent(),
              .directory = directory,
              .listening = listening.number(),
              .pid_file = pid.number(),
              .log = log.number(),
              .nothing = nothing.number(),
              .user = user};
  if (start.filter.empty()) return core::refuse_errno("cannot make a filter of system calls");
  for (char** variable = environ; *variable; ++variable) start.environment.emplace_back(*variable);
  start.environment.emplace_back("LISTEN_FDS=1");
  start.environment.emplace_back(std::string(pid_variable) + std::string(pid_digits_max, '\0'));
  if (!start_detached(start)) return core::refuse_errno("cannot start nbdkit");
  return {};
}

void stop_base_server(const std::string& volume_directory) {
  const pid_t pid = served_by(volume_directory);
  signal_outliving(pid, SIGKILL, [&] { return served_by(volume_directory) == pid; });
}

void shorten_base_log(const std::string& volume_directory) {
  const std::string path = volume_directory + "/log";
  std::error_code missing;
  if (std::filesystem::file_size(path, missing) > base_log_bytes_max && !missing)
    std::filesystem::resize_file(path, 0, missing);
}

}  // namespace nucleus::provisioner

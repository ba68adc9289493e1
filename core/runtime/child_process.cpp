#include "core/runtime/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

extern char** environ;

namespace nucleus::core {

namespace {

using Clock = std::chrono::steady_clock;

/// Both ends of a pipe, closed with it.
struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0) ends = {-1, -1};
  }
  ~Pipe() {
    for (int end : ends)
      if (end >= 0) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_write() {
    close(ends[1]);
    ends[1] = -1;
  }
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> all;
  for (auto& word : words) all.push_back(word.data());
  all.push_back(nullptr);
  return all;
}

/// nucleus-confine is installed beside every program of Nucleus.
std::string confine_program() {
  std::error_code fault;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", fault);
  return own.parent_path() / "nucleus-confine";
}

/// The command behind prlimit(1) and nucleus-confine, which set up what is inherited and replace
/// themselves by it.
std::vector<std::string> confined_argv(const ChildCommand& command) {
  if (!command.confinement) return command.argv;
  const auto& limits = *command.confinement;
  std::vector<std::string> argv = {"prlimit",
                                   "--as=" + std::to_string(limits.memory_bytes),
                                   "--cpu=" + std::to_string(limits.cpu_s),
                                   "--nofile=" + std::to_string(limits.open_files_max),
                                   "--fsize=" + std::to_string(limits.file_bytes_max),
                                   "--core=0",
                                   "--",
                                   confine_program()};
  argv.insert(argv.end(), command.argv.begin(), command.argv.end());
  return argv;
}

/// The exit statuses of prlimit(1) and nucleus-confine when they cannot execute the program.
bool is_not_started(const ProcessEnd& end) {
  return end == exited(125) || end == exited(126) || end == exited(127);
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (const auto start = text.rfind('\n'); start != std::string::npos)
    return text.substr(start + 1);
  return text;
}

int spawn(const ChildCommand& command, const Pipe& out, const Pipe& err, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);  // so that its own children can be killed too
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> argv = confined_argv(command);
  std::vector<std::string> environment = command.environment;
  for (char** variable = environ; *variable; ++variable) environment.emplace_back(*variable);
  auto argv_pointers = pointers(argv);
  auto environment_pointers = pointers(environment);
  const int fault = posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, argv_pointers.data(),
                                 environment_pointers.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return fault;
}

/// Reads both until both are closed; false if the deadline passed first.
bool read_all(const Pipe& out, const Pipe& err, Clock::time_point end, std::size_t bytes_max,
              ChildOutput& into) {
  std::array<pollfd, 2> ends{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
  std::array<std::string*, 2> texts{&into.output, &into.errors};
  std::array<char, 16384> buffer{};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(ends.data(), ends.size(), static_cast<int>(left)) < 0 && errno != EINTR) return false;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      const auto count = read(ends[i].fd, buffer.data(), buffer.size());
      if (count <= 0)
        ends[i].fd = -1;
      else if (texts[i]->size() < bytes_max)
        texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  return true;
}

}  // namespace

Result<ChildOutput> run_child(const ChildCommand& command) {
  const std::string& program = command.argv.at(0);
  Pipe out;
  Pipe err;
  if (out.ends[0] < 0 || err.ends[0] < 0)
    return refuse(ErrorCode::internal, "cannot create a pipe");
  pid_t pid = 0;
  if (const int fault = spawn(command, out, err, pid); fault != 0)
    return refuse(ErrorCode::internal, program + " cannot be started: " + std::strerror(fault));
  out.close_write();
  err.close_write();
  ChildOutput result;
  const bool is_in_time =
      read_all(out, err, Clock::now() + command.deadline, command.output_bytes_max, result);
  if (!is_in_time) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!is_in_time)
    return refuse(
        ErrorCode::deadline_exceeded,
        program + " did not end within " + std::to_string(command.deadline.count()) + " ms");
  result.end = process_end_of(status);
  if (command.confinement && is_not_started(result.end))
    return refuse(ErrorCode::internal, program + " cannot be started: " + last_line(result.errors));
  return result;
}

Result<std::string> must_run_child(const ChildCommand& command) {
  auto ran = run_child(command);
  if (!ran) return std::unexpected(ran.error());
  if (is_success(ran->end)) return std::move(ran->output);
  return refuse(ErrorCode::internal,
                command.argv[0] + " failed (" + shown(ran->end) + "): " + last_line(ran->errors));
}

}  // namespace nucleus::core

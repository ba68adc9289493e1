// Starting and ending a supervisor from outside, and the end of a whole deployment.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include "core/runtime/child_process.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::op {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds start_deadline{5'000};
constexpr milliseconds term_deadline{5'000};
constexpr milliseconds kill_deadline{5'000};

[[noreturn]] void become_supervisor(const StateDirectory& state) {
  setsid();
  if (const pid_t again = fork(); again != 0) _exit(again < 0 ? 1 : 0);
  const int input = open("/dev/null", O_RDONLY);
  const int output =
      open(state.log_file("supervisor").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  close_range(3, ~0U, 0);
  if (chdir("/") != 0) _exit(1);
  umask(077);
  const std::string program = fs::read_symlink("/proc/self/exe").string();
  execl(program.c_str(), "nucleus", "supervise", "--state", state.root().c_str(),
        static_cast<char*>(nullptr));
  _exit(127);
}

/// True where it ended within the deadline.
bool wait_end(const ProcessId& process, milliseconds deadline) {
  const int descriptor = open_process_descriptor(process);
  if (descriptor < 0) return true;
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  const auto until = Clock::now() + deadline;
  int ready = 0;
  do {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    ready = poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
  } while (ready < 0 && errno == EINTR);
  close(descriptor);
  // Ours to reap where it was our child, or an orphan that came to us: libvirtd takes a zombie for
  // a domain that would not die.
  if (ready > 0) waitpid(process.pid, nullptr, WNOHANG);
  return ready > 0;
}

/// TERM to all of them at once, KILL to those that did not end in time.
void end_processes(const std::vector<ProcessEntry>& entries) {
  for (const auto& entry : entries) send_signal(entry.process, SIGTERM);
  const auto until = Clock::now() + term_deadline;
  for (const auto& entry : entries) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (!wait_end(entry.process, std::max(left, milliseconds{0})))
      send_signal(entry.process, SIGKILL);
  }
  for (const auto& entry : entries) wait_end(entry.process, kill_deadline);
}

/// Every QEMU that the private libvirtd wrote a pid file for.
std::vector<ProcessId> emulators(const StateDirectory& state) {
  std::vector<ProcessId> found;
  std::error_code missing;
  for (const auto& file : fs::directory_iterator(state.file("libvirt/run/qemu"), missing)) {
    if (file.path().extension() != ".pid") continue;
    const auto text = read_file(file.path().string());
    if (!text) continue;
    const auto process = process_of(static_cast<pid_t>(std::atoi(text->c_str())));
    const auto command = read_file("/proc/" + std::to_string(process.pid) + "/cmdline");
    const std::string named = "guest=" + file.path().stem().string();
    // A stale file may name a stranger: QEMU of this domain says so in its arguments.
    if (process.pid && command && command->find(named) != std::string::npos)
      found.push_back(process);
  }
  return found;
}

/// Ends what libvirtd started: QEMU takes TERM as the power switch, and flushes its disks. A
/// libvirtd that hangs or is gone does not keep its domains running.
void end_domains(const StateDirectory& state) {
  std::vector<ProcessEntry> entries;
  for (const auto& emulator : emulators(state)) entries.push_back({.process = emulator});
  end_processes(entries);
}

void remove_network_namespace(const StateDirectory& state) {
  const auto deployment = load_deployment(state);
  if (!deployment || !*deployment || (*deployment)->options.is_simulated) return;
  // Its bridge and taps go with it. Not there where `up` never came so far.
  (void)core::run_child({.argv = {"ip", "netns", "del", network_namespace(**deployment)},
                         .deadline = milliseconds{5'000}});
}

}  // namespace

ProcessId running_supervisor(const StateDirectory& state) {
  const auto text = read_file(state.file("run/supervisor"));
  if (!text) return {};
  ProcessId process;
  std::istringstream(*text) >> process.pid >> process.start_ticks;
  return is_alive(process) ? process : ProcessId{};
}

core::Result<void> start_supervisor(const StateDirectory& state) {
  fs::remove(state.file("run/supervisor"));
  const pid_t pid = fork();
  if (pid < 0) return core::refuse(core::ErrorCode::unavailable, "no process can be made");
  if (pid == 0) become_supervisor(state);
  waitpid(pid, nullptr, 0);
  const auto until = Clock::now() + start_deadline;
  while (!running_supervisor(state).pid) {
    if (Clock::now() > until)
      return core::refuse(core::ErrorCode::unavailable,
                          "the supervisor did not start: see " + state.log_file("supervisor"));
    poll(nullptr, 0, 5);
  }
  return {};
}

core::Result<void> stop_all(const StateDirectory& state) {
  std::vector<ProcessEntry> ground;
  std::vector<ProcessEntry> others;
  const auto table = load_processes(state);
  for (const auto& [name, entry] : table) {
    if (is_alive(entry.process)) (entry.is_ground ? ground : others).push_back(entry);
  }
  end_processes(others);
  end_domains(state);
  end_processes(ground);
  remove_network_namespace(state);
  std::string left;
  for (const auto& [name, entry] : table) {
    if (is_alive(entry.process)) left += " " + name;
    fs::remove(state.pid_file(name));
  }
  if (!left.empty()) return core::refuse(core::ErrorCode::internal, "could not be ended:" + left);
  for (const char* file :
       {"run/redis.sock", "run/bus.sock", "run/events.sock", "run/processes.json"})
    fs::remove(state.file(file));
  return {};
}

}  // namespace nucleus::op

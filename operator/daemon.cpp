// Starts the supervisor as a daemon, and stops all processes of a deployment.
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

#include "operator/deployment.hpp"
#include "operator/processes.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds start_timeout{5'000};
constexpr milliseconds term_timeout{5'000};
constexpr milliseconds kill_timeout{5'000};
constexpr milliseconds supervisor_timeout{45'000};  // it stops its processes first

[[noreturn]] void exec_supervisor(const StateDirectory& state) {
  setsid();
  if (const pid_t daemon = fork(); daemon != 0) _exit(daemon < 0 ? 1 : 0);
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

/// True if the process ended within the timeout.
bool wait_end(const ProcessId& process, milliseconds timeout) {
  const int descriptor = open_process_descriptor(process);
  if (descriptor < 0) return true;
  pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
  const auto deadline = Clock::now() + timeout;
  int ready = 0;
  do {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    ready = poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
  } while (ready < 0 && errno == EINTR);
  close(descriptor);
  // Reaps it if it is our child, possibly adopted as its subreaper: to libvirtd, a zombie is a
  // domain that does not stop.
  if (ready > 0) waitpid(process.pid, nullptr, WNOHANG);
  return ready > 0;
}

/// Sends SIGTERM to all of them, then SIGKILL to those that do not end in time.
void stop_processes(const std::vector<ProcessEntry>& entries) {
  for (const auto& entry : entries) send_signal(entry.process, SIGTERM);
  const auto deadline = Clock::now() + term_timeout;
  for (const auto& entry : entries) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (!wait_end(entry.process, std::max(left, milliseconds{0})))
      send_signal(entry.process, SIGKILL);
  }
  for (const auto& entry : entries) wait_end(entry.process, kill_timeout);
}

/// The QEMU processes for which libvirtd wrote a pid file. Of the machine's own libvirtd only those
/// whose seed drive is a file of this host.
std::vector<ProcessId> emulators(const StateDirectory& state, const HostDeployment& host) {
  const std::string seeds = host.libvirt_uri.empty() ? "" : state.file("provisioner/seeds/");
  std::vector<ProcessId> found;
  std::error_code missing;
  for (const auto& file : fs::directory_iterator(emulator_folder(state, host), missing)) {
    if (file.path().extension() != ".pid") continue;
    const auto text = read_file(file.path().string());
    if (!text) continue;
    const auto process = process_of(static_cast<pid_t>(std::atoi(text->c_str())));
    const auto command = read_file("/proc/" + std::to_string(process.pid) + "/cmdline");
    const std::string argument = "guest=" + file.path().stem().string();
    // The pid of a stale file may be in use by an unrelated process.
    if (process.pid && command && command->find(argument) != std::string::npos &&
        command->find(seeds) != std::string::npos)
      found.push_back(process);
  }
  return found;
}

/// The running servers of a host. Each has a folder in `folder` with its pid. /proc/PID followed by
/// `place` must be that folder, so that a process that reused the pid is not killed.
std::vector<ProcessId> servers_in(const std::string& folder, const std::string& place) {
  std::vector<ProcessId> found;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder, missing)) {
    const auto text = read_file((entry.path() / "pid").string());
    if (!text) continue;
    const auto process = process_of(static_cast<pid_t>(std::atoi(text->c_str())));
    const auto own = "/proc/" + std::to_string(process.pid) + place;
    if (process.pid && fs::equivalent(own, entry.path(), missing)) found.push_back(process);
  }
  return found;
}

/// Stops all domains, even if libvirtd hangs or is not running, and what serves them. On SIGTERM,
/// QEMU powers off and flushes its disks.
void stop_domains(const StateDirectory& state, const HostDeployment& host) {
  std::vector<ProcessEntry> entries;
  for (const auto& emulator : emulators(state, host)) entries.push_back({.process = emulator});
  stop_processes(entries);
  // dnsmasq of clusters; nbdkit of disks, which may wait for what it was to read.
  std::vector<ProcessEntry> servers;
  for (const auto& server : servers_in(state.file("provisioner/addresses"), "/root/run"))
    servers.push_back({.process = server});
  for (const auto& server : servers_in(state.file("provisioner/volumes"), "/cwd"))
    servers.push_back({.process = server});
  stop_processes(servers);
}

/// The host of this state directory; nothing if its start failed early.
std::optional<HostDeployment> host_in(const StateDirectory& state) {
  if (is_host(state)) {
    const auto host = load_host(state);
    return host ? std::optional(*host) : std::nullopt;
  }
  const auto deployment = load_deployment(state);
  if (!deployment || !*deployment || !has_own_host((*deployment)->options)) return std::nullopt;
  return own_host(state, **deployment);
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
  if (pid < 0) return core::refuse(core::ErrorCode::unavailable, "cannot fork");
  if (pid == 0) exec_supervisor(state);
  waitpid(pid, nullptr, 0);
  const auto deadline = Clock::now() + start_timeout;
  while (!running_supervisor(state).pid) {
    if (Clock::now() > deadline)
      return core::refuse(core::ErrorCode::unavailable,
                          "the supervisor did not start: see " + state.log_file("supervisor"));
    poll(nullptr, 0, 5);
  }
  return {};
}

core::Result<void> stop_all(const StateDirectory& state) {
  std::vector<ProcessEntry> infrastructure;
  std::vector<ProcessEntry> others;
  const auto table = load_processes(state);
  for (const auto& [name, entry] : table) {
    if (is_alive(entry.process))
      (entry.is_infrastructure ? infrastructure : others).push_back(entry);
  }
  stop_processes(others);
  const auto host = host_in(state);
  if (host) stop_domains(state, *host);
  stop_processes(infrastructure);
  if (host) remove_host_network(*host);
  std::string left;
  for (const auto& [name, entry] : table) {
    if (is_alive(entry.process)) left += " " + name;
    fs::remove(state.pid_file(name));
  }
  if (!left.empty()) return core::refuse(core::ErrorCode::internal, "still running:" + left);
  for (const char* file :
       {"run/redis.sock", "run/bus.sock", "run/events.sock", "run/processes.json"})
    fs::remove(state.file(file));
  return {};
}

core::Result<void> stop_supervised(const StateDirectory& state) {
  if (const auto supervisor = running_supervisor(state); supervisor.pid) {
    send_signal(supervisor, SIGTERM);
    if (!wait_end(supervisor, supervisor_timeout)) send_signal(supervisor, SIGKILL);
    wait_end(supervisor, kill_timeout);
  }
  if (auto stopped = stop_all(state); !stopped) return stopped;
  std::error_code ignored;
  fs::remove(state.pid_file("supervisor"), ignored);
  fs::remove(state.file("run/supervisor"), ignored);
  return {};
}

}  // namespace nucleus::operator_

#include "operator/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>

#include "core/log/log.hpp"
#include "operator/log_files.hpp"

namespace nucleus::operator_ {

namespace {

namespace log = core::log;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds restart_delay_min{50};
constexpr milliseconds restart_delay_max{5'000};
constexpr milliseconds stable_uptime{2'000};  // resets the back-off
constexpr std::chrono::minutes look_at_logs{1};

/// In the forked process: waits until the parent has recorded it, then runs the child's program.
[[noreturn]] void exec_child(const Child& child, const std::string& log_path, int gate) {
  setsid();
  char go = 0;
  // If the parent ends before it has recorded this process, the read fails and nothing runs.
  if (read(gate, &go, 1) != 1) _exit(126);
  const int input = open("/dev/null", O_RDONLY);
  const int output = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  close_range(3, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  for (const auto& variable : child.environment) {
    const auto equals = variable.find('=');
    setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  }
  std::vector<char*> argv;
  for (const auto& word : child.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  dprintf(2, "cannot run %s: %s\n", argv[0], strerrorname_np(errno));
  _exit(127);
}

class Supervisor {
 public:
  Supervisor(const StateDirectory& state, std::vector<Child> children)
      : state_{state}, table_{load_processes(state)} {
    for (auto& child : children) watched_.push_back({.child = std::move(child)});
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    // Adopts the QEMU processes of a libvirtd that ended, so that they do not remain as zombies.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  int run() {
    for (auto& watched : watched_) {
      const auto known = table_.find(watched.child.name);
      if (known == table_.end() || !adopt(watched, known->second.process)) start(watched);
    }
    while (!is_stopping_) wait_and_restart();
    log::info("supervisor_stopping");
    return stop_all(state_) ? 0 : 1;
  }

 private:
  struct Watched {
    Child child;
    int descriptor = -1;  // of the running process
    std::optional<Clock::time_point> restart_at = {};
    Clock::time_point started = Clock::now();
    milliseconds restart_delay{0};
  };

  bool adopt(Watched& watched, const ProcessId& process) {
    watched.descriptor = open_process_descriptor(process);
    if (watched.descriptor < 0) return false;
    write_file(state_.pid_file(watched.child.name), std::to_string(process.pid) + "\n");
    log::info("process_adopted", {{"name", watched.child.name}, {"pid", process.pid}});
    return true;
  }

  void start(Watched& watched) {
    const auto& name = watched.child.name;
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) return fail_start(watched, "cannot create a pipe");
    const pid_t pid = fork();
    if (pid < 0) {
      close(gate[0]);
      close(gate[1]);
      return fail_start(watched, "cannot fork");
    }
    if (pid == 0) {
      close(gate[1]);
      exec_child(watched.child, state_.log_file(name), gate[0]);
    }
    close(gate[0]);
    auto& entry = table_[name];
    entry.process = process_of(pid);
    entry.is_infrastructure = watched.child.is_infrastructure;
    entry.started_unix_ms = unix_ms_now();
    watched.started = Clock::now();
    watched.restart_at.reset();
    watched.descriptor = open_process_descriptor(entry.process);
    auto recorded = save_processes(state_, table_);
    if (recorded) recorded = write_file(state_.pid_file(name), std::to_string(pid) + "\n");
    if (recorded && write(gate[1], "g", 1) == 1)
      log::info("process_started", {{"name", name}, {"pid", pid}});
    else
      log::error("process_not_recorded", {{"name", name}});  // the closed gate ends it
    close(gate[1]);
  }

  void fail_start(Watched& watched, const char* reason) {
    log::warning("process_not_started", {{"name", watched.child.name}, {"reason", reason}});
    restart_later(watched, {});
  }

  void restart_later(Watched& watched, const core::ProcessEnd& end) {
    if (Clock::now() - watched.started >= stable_uptime)
      watched.restart_delay = milliseconds{0};
    else
      watched.restart_delay =
          std::clamp(watched.restart_delay * 2, restart_delay_min, restart_delay_max);
    watched.restart_at = Clock::now() + watched.restart_delay;
    auto& entry = table_[watched.child.name];
    entry.process = {};
    entry.last_end = end;
    ++entry.restarts;
    std::filesystem::remove(state_.pid_file(watched.child.name));
    (void)save_processes(state_, table_);
    log::warning("process_ended", {{"name", watched.child.name},
                                   {"end", msg::name_of(end.kind)},
                                   {"code", end.code},
                                   {"restart_in_ms", watched.restart_delay.count()}});
  }

  void wait_and_restart() {
    std::vector<pollfd> waited{{.fd = signals_, .events = POLLIN, .revents = 0}};
    for (const auto& watched : watched_)
      waited.push_back({.fd = watched.descriptor, .events = POLLIN, .revents = 0});
    poll(waited.data(), waited.size(), milliseconds_to_wait());
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof signal) == sizeof signal)
      if (signal.ssi_signo != SIGCHLD) is_stopping_ = true;
    reap();
    if (is_stopping_) return;
    if (logs_due_ <= Clock::now()) {
      limit_logs(state_.file("logs"), log_bytes_max);
      logs_due_ = Clock::now() + look_at_logs;
    }
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      auto& watched = watched_[i];
      if (watched.descriptor >= 0 && waited[i + 1].revents) {
        close(std::exchange(watched.descriptor, -1));
        restart_later(watched, end_of(table_[watched.child.name].process.pid));
      }
      if (watched.restart_at && *watched.restart_at <= Clock::now()) start(watched);
    }
  }

  int milliseconds_to_wait() const {
    auto next = logs_due_;
    for (const auto& watched : watched_)
      if (watched.restart_at) next = std::min(next, *watched.restart_at);
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      const bool is_ours = std::ranges::any_of(
          table_, [&](const auto& entry) { return entry.second.process.pid == pid; });
      if (is_ours) wait_statuses_[pid] = status;
    }
  }

  /// `unknown` for an adopted process: it is not our child, so waitpid(2) does not report it.
  core::ProcessEnd end_of(pid_t pid) {
    reap();
    const auto status = wait_statuses_.extract(pid);
    return status.empty() ? core::ProcessEnd{} : core::process_end_of(status.mapped());
  }

  const StateDirectory& state_;
  ProcessTable table_;
  std::vector<Watched> watched_ = {};
  std::map<pid_t, int> wait_statuses_ = {};
  Clock::time_point logs_due_ = Clock::now();
  int signals_ = -1;
  bool is_stopping_ = false;
};

}  // namespace

int supervise(const StateDirectory& state) {
  log::open("supervisor");
  const auto lock = FileLock::take(state.file("run/supervisor.lock"), false);
  if (!lock) {
    log::error("supervisor_not_started", {{"reason", "another supervisor uses " + state.root()}});
    return 3;
  }
  auto children = load_children(state);
  if (!children) {
    log::error("supervisor_not_started", {{"reason", children.error().detail}});
    return 2;
  }
  const auto self = process_of(getpid());
  (void)write_file(state.file("run/supervisor"),
                   std::to_string(self.pid) + " " + std::to_string(self.start_ticks) + "\n");
  (void)write_file(state.pid_file("supervisor"), std::to_string(self.pid) + "\n");
  Supervisor supervisor(state, std::move(*children));
  const int exit_code = supervisor.run();
  std::filesystem::remove(state.pid_file("supervisor"));
  std::filesystem::remove(state.file("run/supervisor"));
  return exit_code;
}

}  // namespace nucleus::operator_

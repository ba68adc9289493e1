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

namespace nucleus::op {

namespace {

namespace log = core::log;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds restart_delay_first{50};
constexpr milliseconds restart_delay_most{5'000};
constexpr milliseconds sound_life{2'000};  // who lived this long did not die at once

std::int64_t unix_ms_now() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// In the fork: becomes the child. Never returns.
[[noreturn]] void become(const Child& child, const std::string& log_path, int gate) {
  setsid();
  char go = 0;
  // The parent writes down who we are before it lets us run; if it dies first, so do we.
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
    // QEMU daemons of libvirtd come to us when it dies, so that none is left as a zombie.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  }

  int run() {
    for (auto& watched : watched_) {
      const auto known = table_.find(watched.child.name);
      if (known == table_.end() || !adopt(watched, known->second.process)) start(watched);
    }
    while (!is_stopping_) wait_and_mend();
    log::info("supervisor_stopping");
    return stop_all(state_) ? 0 : 1;
  }

 private:
  struct Watched {
    Child child;
    int descriptor = -1;                        // of the running process
    std::optional<Clock::time_point> due = {};  // starts again then
    Clock::time_point started = Clock::now();
    milliseconds delay{0};
  };

  bool adopt(Watched& watched, const ProcessId& process) {
    watched.descriptor = open_process_descriptor(process);
    if (watched.descriptor < 0) return false;
    write_file(state_.pid_file(watched.child.name), std::to_string(process.pid) + "\n");
    log::info("process_taken_over", {{"name", watched.child.name}, {"pid", process.pid}});
    return true;
  }

  void start(Watched& watched) {
    const auto& name = watched.child.name;
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) != 0) return start_later(watched, "no pipe");
    const pid_t pid = fork();
    if (pid < 0) {
      close(gate[0]);
      close(gate[1]);
      return start_later(watched, "no fork");
    }
    if (pid == 0) {
      close(gate[1]);
      become(watched.child, state_.log_file(name), gate[0]);
    }
    close(gate[0]);
    auto& entry = table_[name];
    entry.process = process_of(pid);
    entry.is_ground = watched.child.is_ground;
    entry.started_unix_ms = unix_ms_now();
    watched.started = Clock::now();
    watched.due.reset();
    watched.descriptor = open_process_descriptor(entry.process);
    auto recorded = save_processes(state_, table_);
    if (recorded) recorded = write_file(state_.pid_file(name), std::to_string(pid) + "\n");
    if (recorded && write(gate[1], "g", 1) == 1)
      log::info("process_started", {{"name", name}, {"pid", pid}});
    else
      log::error("process_not_recorded", {{"name", name}});  // the gate shuts, and it ends
    close(gate[1]);
  }

  void start_later(Watched& watched, const std::string& why) {
    const auto life = Clock::now() - watched.started;
    if (life >= sound_life)
      watched.delay = milliseconds{0};
    else
      watched.delay = std::clamp(watched.delay * 2, restart_delay_first, restart_delay_most);
    watched.due = Clock::now() + watched.delay;
    auto& entry = table_[watched.child.name];
    entry.process = {};
    entry.last_end = why;
    ++entry.restarts;
    std::filesystem::remove(state_.pid_file(watched.child.name));
    (void)save_processes(state_, table_);
    log::warning(
        "process_ended",
        {{"name", watched.child.name}, {"how", why}, {"restart_in_ms", watched.delay.count()}});
  }

  void wait_and_mend() {
    std::vector<pollfd> waited{{.fd = signals_, .events = POLLIN, .revents = 0}};
    for (const auto& watched : watched_)
      waited.push_back({.fd = watched.descriptor, .events = POLLIN, .revents = 0});
    poll(waited.data(), waited.size(), milliseconds_to_restart());
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof signal) == sizeof signal)
      if (signal.ssi_signo != SIGCHLD) is_stopping_ = true;
    reap();
    if (is_stopping_) return;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      auto& watched = watched_[i];
      if (watched.descriptor >= 0 && waited[i + 1].revents) {
        close(std::exchange(watched.descriptor, -1));
        start_later(watched, end_of(table_[watched.child.name].process.pid));
      }
      if (watched.due && *watched.due <= Clock::now()) start(watched);
    }
  }

  int milliseconds_to_restart() const {
    int least = -1;
    for (const auto& watched : watched_) {
      if (!watched.due) continue;
      const auto left = std::chrono::ceil<milliseconds>(*watched.due - Clock::now()).count();
      const int wait = static_cast<int>(std::max<std::int64_t>(left, 0));
      least = least < 0 ? wait : std::min(least, wait);
    }
    return least;
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      const bool is_ours = std::ranges::any_of(
          table_, [&](const auto& entry) { return entry.second.process.pid == pid; });
      if (is_ours) ends_[pid] = status;
    }
  }

  /// A process that an earlier supervisor started is not our child: nobody tells us how it ended.
  std::string end_of(pid_t pid) {
    reap();
    const auto end = ends_.extract(pid);
    if (end.empty()) return "ended";
    const int status = end.mapped();
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                               : "exit " + std::to_string(WEXITSTATUS(status));
  }

  const StateDirectory& state_;
  ProcessTable table_;
  std::vector<Watched> watched_ = {};
  std::map<pid_t, int> ends_ = {};
  int signals_ = -1;
  bool is_stopping_ = false;
};

}  // namespace

int supervise(const StateDirectory& state) {
  log::open("supervisor");
  const auto lock = FileLock::take(state.file("run/supervisor.lock"), false);
  if (!lock) {
    log::error("supervisor_not_started", {{"reason", "another one holds " + state.root()}});
    return 3;
  }
  const auto deployment = load_deployment(state);
  if (!deployment || !*deployment) {
    log::error("supervisor_not_started",
               {{"reason", deployment ? "no deployment.yaml" : deployment.error().detail}});
    return 2;
  }
  const auto self = process_of(getpid());
  (void)write_file(state.file("run/supervisor"),
                   std::to_string(self.pid) + " " + std::to_string(self.start_ticks) + "\n");
  (void)write_file(state.pid_file("supervisor"), std::to_string(self.pid) + "\n");
  Supervisor supervisor(state, plan_children(state, **deployment, programs_folder()));
  const int exit_code = supervisor.run();
  std::filesystem::remove(state.pid_file("supervisor"));
  std::filesystem::remove(state.file("run/supervisor"));
  return exit_code;
}

}  // namespace nucleus::op

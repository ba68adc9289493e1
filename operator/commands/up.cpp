// nucleus up, down and supervise.
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>

#include "core/runtime/child_process.hpp"
#include "operator/commands/commands.hpp"
#include "operator/first_start.hpp"
#include "operator/health.hpp"
#include "operator/supervisor.hpp"
#include "operator/tls.hpp"

namespace nucleus::op {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds ready_deadline{60};
constexpr std::chrono::seconds down_deadline{45};
constexpr std::chrono::seconds computesets_deadline{10};
constexpr std::uint32_t deaths_most = 4;  // a child that dies this often at its start stays broken

struct UpArguments {
  std::shared_ptr<std::string> state = {};
  std::string listen = {};
  bool is_simulated = false;
  std::uint32_t hosts = 0;
  TlsOptions tls = {};
  bool is_plain = false;
};

core::Result<Deployment> wanted_deployment(const UpArguments& arguments,
                                           const std::optional<Deployment>& before) {
  Deployment wanted = before.value_or(Deployment{});
  auto& options = wanted.options;
  if (!arguments.listen.empty())
    if (auto parsed = parse_listen(arguments.listen, options); !parsed)
      return std::unexpected(parsed.error());
  if (arguments.hosts && !arguments.is_simulated && !options.is_simulated)
    return core::refuse(core::ErrorCode::invalid_argument, "--hosts needs --simulated", "hosts");
  if (before && arguments.is_simulated && !before->options.is_simulated)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "this state has a real host; simulated ones need another --state");
  options.is_simulated = options.is_simulated || arguments.is_simulated;
  if (arguments.hosts) options.host_count = arguments.hosts;
  if (arguments.is_plain || !arguments.tls.certificate.empty()) options.tls = arguments.tls;
  if (auto checked = check_tls(options.tls); !checked) return std::unexpected(checked.error());
  return wanted;
}

std::string last_line(const std::string& path) {
  const auto text = read_file(path);
  if (!text || text->empty()) return {};
  const auto end = text->find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const auto begin = text->rfind('\n', end);
  return text->substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
}

core::Result<void> wait_ready(const StateDirectory& state, const Deployment& deployment,
                              const ProcessTable& before, Caller& caller) {
  const auto until = Clock::now() + ready_deadline;
  while (true) {
    const auto health = look(state, deployment, caller, milliseconds{500});
    const std::string complaint = health.complaint(deployment.options);
    if (complaint.empty()) return {};
    for (const auto& process : health.processes) {
      const auto known = before.find(process.name);
      const auto deaths =
          process.entry.restarts - (known == before.end() ? 0 : known->second.restarts);
      if (deaths < deaths_most || process.entry.restarts < deaths_most) continue;
      return core::refuse(
          core::ErrorCode::unavailable,
          fmt::format("{} does not stay up ({}): {}\n  log: {}", process.name,
                      process.entry.last_end, last_line(state.log_file(process.name)),
                      state.log_file(process.name)));
    }
    if (Clock::now() > until)
      return core::refuse(core::ErrorCode::deadline_exceeded, "not ready: " + complaint);
    poll(nullptr, 0, 20);
  }
}

core::Result<void> make_network_namespace(const Deployment& deployment) {
  const std::string name = network_namespace(deployment);
  // Left by a machine that lost its power: a fresh one has no stale devices.
  (void)core::run_child({.argv = {"ip", "netns", "del", name}});
  if (auto made = core::must_run_child({.argv = {"ip", "netns", "add", name}}); !made)
    return core::refuse(made.error().code,
                        "no network namespace " + name + ": " + made.error().detail);
  return {};
}

/// Everything that must be right before the first process starts.
core::Result<void> prepare(const StateDirectory& state, Deployment& deployment,
                           bool is_anything_running) {
  if (!deployment.options.is_simulated && geteuid() != 0)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "real hosts need root: use sudo, or --simulated --hosts N");
  if (!is_anything_running)
    if (auto chosen = choose_ports(deployment); !chosen) return chosen;
  const auto children = plan_children(state, deployment, programs_folder());
  if (const auto missing = missing_programs(children); !missing.empty())
    return core::refuse(
        core::ErrorCode::unavailable,
        fmt::format("programs are missing: {}\n  nucleus doctor tells how to get them",
                    fmt::join(missing, ", ")));
  if (!deployment.options.is_simulated && !is_anything_running)
    if (auto made = make_network_namespace(deployment); !made) return made;
  if (auto saved = save_deployment(state, deployment); !saved) return saved;
  if (auto written = write_settings(state, children); !written) return written;
  if (auto written = write_targets(state, children); !written) return written;
  return write_rights(state, deployment);
}

core::Result<int> up(const UpArguments& arguments) {
  umask(077);
  const auto started = Clock::now();
  const StateDirectory state(*arguments.state);
  if (auto created = state.create(); !created) return std::unexpected(created.error());
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  const auto before = load_deployment(state);
  if (!before) return std::unexpected(before.error());
  auto deployment = wanted_deployment(arguments, *before);
  if (!deployment) return std::unexpected(deployment.error());
  const bool is_new = !running_supervisor(state).pid;
  auto table = load_processes(state);
  bool is_anything_running =
      std::ranges::any_of(table, [](const auto& entry) { return is_alive(entry.second.process); });
  if (*before && (*before)->options != deployment->options && is_anything_running) {
    if (!is_new)
      return core::refuse(core::ErrorCode::wrong_state,
                          "it is up with other options: nucleus down --state " + state.root());
    if (auto stopped = stop_all(state); !stopped) return std::unexpected(stopped.error());
    is_anything_running = false;
  }
  if (is_new) {
    if (auto prepared = prepare(state, *deployment, is_anything_running); !prepared)
      return std::unexpected(prepared.error());
    if (auto running = start_supervisor(state); !running) return std::unexpected(running.error());
  }
  Caller caller(local_access(state));
  if (auto ready = wait_ready(state, *deployment, table, caller); !ready)
    return core::refuse(ready.error().code, ready.error().detail + "\n  nucleus down --state " +
                                                state.root() + " ends what was started");
  if (auto prepared = prepare_people(state, entry_points(state, *deployment), caller); !prepared)
    return std::unexpected(prepared.error());
  const std::chrono::duration<double> took = Clock::now() - started;
  std::cout << fmt::format("nucleus is up at {} ({:.1f} s)\n  . {}/env\n",
                           gateway_url(deployment->options), took.count(), state.root());
  return 0;
}

/// Nodes end with the deployment, and so do their computesets: as long as somebody answers, they
/// are charged to this moment. What is not over in time is found to be when all is up again.
void end_computesets(const StateDirectory& state) {
  if (!running_supervisor(state).pid) return;
  Caller caller(local_access(state));
  const auto until = Clock::now() + computesets_deadline;
  const core::CallOptions options{.deadline = core::Milliseconds{2'000}};
  const auto active = [&] {
    return caller.call(msg::ListComputesets{.viewer = {.is_operator = true},
                                            .states = {msg::ComputesetState::running,
                                                       msg::ComputesetState::ending}},
                       options);
  };
  auto left = active();
  if (!left) return;
  for (const auto& computeset : left->computesets)
    if (!caller.call(msg::PowerComputeset{.viewer = {.is_operator = true},
                                          .computeset_id = computeset.computeset_id,
                                          .action = msg::PowerAction::poweroff},
                     options))
      return;
  while (left && !left->computesets.empty() && Clock::now() < until) {
    poll(nullptr, 0, 20);
    left = active();
  }
}

core::Result<int> down(const std::string& directory) {
  const StateDirectory state(directory);
  if (!state.exists())
    return core::refuse(core::ErrorCode::not_found, "nothing was ever up in " + state.root());
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  end_computesets(state);
  if (const auto supervisor = running_supervisor(state); supervisor.pid) {
    send_signal(supervisor, SIGTERM);
    const auto until = Clock::now() + down_deadline;
    while (is_alive(supervisor) && Clock::now() < until) poll(nullptr, 0, 10);
    if (send_signal(supervisor, SIGKILL))
      while (is_alive(supervisor)) poll(nullptr, 0, 10);
  }
  if (auto stopped = stop_all(state); !stopped) return std::unexpected(stopped.error());
  std::error_code ignored;
  std::filesystem::remove(state.pid_file("supervisor"), ignored);
  std::filesystem::remove(state.file("run/supervisor"), ignored);
  std::cout << "nucleus is down; its data stay in " << state.root() << "\n";
  return 0;
}

}  // namespace

std::shared_ptr<std::string> add_state_option(CLI::App& command) {
  auto state = std::make_shared<std::string>(StateDirectory::default_root().string());
  command.add_option("--state", *state, "the deployment's directory")->capture_default_str();
  return state;
}

core::Result<Deployment> open_deployment(const StateDirectory& state) {
  auto found = load_deployment(state);
  if (!found) return std::unexpected(found.error());
  if (!*found)
    return core::refuse(core::ErrorCode::not_found, "nothing was ever up in " + state.root() +
                                                        ": nucleus up --state " + state.root());
  return std::move(**found);
}

void add_up(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("up", "start everything, and return when it is ready");
  auto arguments = std::make_shared<UpArguments>();
  arguments->state = add_state_option(*command);
  command->add_option("--listen", arguments->listen, "ADDR:PORT of the gateway");
  command->add_flag("--simulated", arguments->is_simulated, "hosts without a hypervisor");
  command->add_option("--hosts", arguments->hosts, "how many simulated hosts")
      ->check(CLI::Range(1, 100'000));
  auto* certificate =
      command->add_option("--tls-certificate", arguments->tls.certificate,
                          "PEM file: https and wss; the certificate, then those up to its CA");
  auto* key = command->add_option("--tls-key", arguments->tls.key, "PEM file of its key")
                  ->needs(certificate);
  certificate->needs(key);
  command
      ->add_option("--tls-ca", arguments->tls.ca, "PEM file that clients believe (NUCLEUS_CA_FILE)")
      ->needs(certificate);
  command->add_flag("--no-tls", arguments->is_plain, "http again")->excludes(certificate);
  command->callback([&chosen, arguments] { chosen = [arguments] { return up(*arguments); }; });
}

void add_down(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("down", "stop everything; the data stay");
  auto state = add_state_option(*command);
  command->callback([&chosen, state] { chosen = [state] { return down(*state); }; });
}

void add_supervise(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("supervise", "what `up` leaves behind: keeps all running");
  command->group("");
  auto state = add_state_option(*command);
  command->callback([&chosen, state] {
    chosen = [state]() -> core::Result<int> { return supervise(StateDirectory(*state)); };
  });
}

}  // namespace nucleus::op

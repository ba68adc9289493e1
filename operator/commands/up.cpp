// nucleus up, down and supervise.
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "operator/commands/commands.hpp"
#include "operator/first_start.hpp"
#include "operator/health.hpp"
#include "operator/ports.hpp"
#include "operator/rack.hpp"
#include "operator/slurm.hpp"
#include "operator/supervisor.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds ready_timeout{60};
constexpr std::chrono::seconds computesets_timeout{10};
constexpr std::uint32_t failed_starts_max = 4;  // then `up` gives up on the process

struct UpArguments {
  std::string state = {};
  std::string listen = {};
  std::string console_listen = {};
  std::string bus_listen = {};
  std::vector<std::string> ports = {};
  bool is_simulated = false;
  std::uint32_t hosts = 0;
  std::uint32_t rack = 0;
  bool has_slurm = false;
  TlsOptions tls = {};
  bool has_no_tls = false;
};

struct StateArguments {
  std::string state = {};
};

std::int64_t unix_s_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A new certificate must be valid. One that expired since it was configured is only reported: the
/// deployment can be reached, and the certificate renewed while it runs.
core::Result<void> apply_tls(const UpArguments& arguments, const StateDirectory& state,
                             Deployment& deployment) {
  if (auto made = make_own_tls(state, deployment); !made) return made;
  auto& tls = deployment.options.tls;
  const bool is_new = arguments.has_no_tls || !arguments.tls.certificate.empty();
  if (is_new) tls = arguments.tls;
  if (is_new || !arguments.listen.empty()) tls.is_off = arguments.has_no_tls;
  use_own_tls(state, deployment.options);
  if (auto checked = check_tls(tls); !checked) return checked;
  const auto problem = certificate_problem(tls, unix_s_now());
  if (problem.empty()) return {};
  if (is_new) return core::refuse(core::ErrorCode::invalid_argument, problem, "tls-certificate");
  std::cerr << "nucleus: warning: " << problem << "\n";
  return {};
}

core::Result<Deployment> desired_deployment(const UpArguments& arguments,
                                            const StateDirectory& state,
                                            const std::optional<Deployment>& before) {
  Deployment desired = before.value_or(Deployment{});
  auto& options = desired.options;
  if (!arguments.listen.empty())
    if (auto parsed = parse_listen(arguments.listen, desired); !parsed)
      return std::unexpected(parsed.error());
  for (const auto& port : arguments.ports)
    if (auto parsed = parse_port(port, desired); !parsed) return std::unexpected(parsed.error());
  if (!arguments.console_listen.empty())
    if (auto parsed = parse_console_listen(arguments.console_listen, desired); !parsed)
      return std::unexpected(parsed.error());
  if (arguments.hosts && !arguments.is_simulated && !options.is_simulated)
    return core::refuse(core::ErrorCode::invalid_argument, "--hosts requires --simulated", "hosts");
  if (before && arguments.is_simulated && !before->options.is_simulated)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "this deployment has a real host; use another --state for simulated ones");
  if (arguments.rack && (arguments.is_simulated || options.is_simulated))
    return core::refuse(core::ErrorCode::invalid_argument, "--rack has real hosts: not --simulated",
                        "rack");
  options.is_simulated = options.is_simulated || arguments.is_simulated;
  if (arguments.hosts) options.host_count = arguments.hosts;
  if (arguments.rack) options.rack_hosts = arguments.rack;
  options.has_slurm = options.has_slurm || arguments.has_slurm;
  if (options.has_slurm)
    if (auto checked = check_slurm(options); !checked) return std::unexpected(checked.error());
  if (!arguments.bus_listen.empty()) {
    if (!is_ipv4_address(arguments.bus_listen))
      return core::refuse(core::ErrorCode::invalid_argument,
                          "--bus-listen must be an IPv4 address of this machine", "bus-listen");
    options.bus_address = arguments.bus_listen;
  }
  choose_identity(desired);
  if (options.rack_hosts) options.bus_address = rack_head_address(desired.short_id);
  if (auto applied = apply_tls(arguments, state, desired); !applied)
    return std::unexpected(applied.error());
  return desired;
}

std::string last_line(const std::string& path) {
  const auto text = read_file(path);
  if (!text || text->empty()) return {};
  const auto end = text->find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const auto begin = text->rfind('\n', end);
  return text->substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
}

/// Fails early if a process keeps ending: `before` has the restarts of earlier runs.
core::Result<void> wait_ready(const StateDirectory& state, const Deployment& deployment,
                              const ProcessTable& before, Caller& caller) {
  const auto deadline = Clock::now() + ready_timeout;
  while (true) {
    const auto health = check_health(state, deployment, caller, milliseconds{500});
    const std::string problem = health.problem(deployment.options);
    if (problem.empty()) return {};
    for (const auto& process : health.processes) {
      const auto known = before.find(process.name);
      const auto failed_starts =
          process.entry.restarts - (known == before.end() ? 0 : known->second.restarts);
      if (failed_starts < failed_starts_max || process.entry.restarts < failed_starts_max) continue;
      return core::refuse(
          core::ErrorCode::unavailable,
          fmt::format("{} keeps ending ({}): {}\n  log: {}", process.name,
                      process.entry.last_end ? core::shown(*process.entry.last_end) : "unknown",
                      last_line(state.log_file(process.name)), state.log_file(process.name)));
    }
    if (Clock::now() > deadline)
      return core::refuse(core::ErrorCode::deadline_exceeded, "not ready: " + problem);
    poll(nullptr, 0, 20);
  }
}

/// The networks of this machine's hosts.
core::Result<void> make_networks(const StateDirectory& state, const Deployment& deployment) {
  if (has_own_host(deployment.options))
    return make_host_network(state, own_host(state, deployment));
  return deployment.options.rack_hosts ? make_rack_network(deployment) : core::Result<void>{};
}

/// Everything that must be done before the first process starts.
core::Result<void> prepare(const StateDirectory& state, Deployment& deployment,
                           bool is_anything_running, PortClaims& claims) {
  if (!deployment.options.is_simulated && geteuid() != 0)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "real hosts need root: use sudo, or --simulated --hosts N");
  if (!is_anything_running) {
    // The bus listens on an address of the rack's network. Hosts that run on without a head use it.
    if (!is_rack_running(state, deployment))
      if (auto made = make_networks(state, deployment); !made) return made;
    if (auto chosen = choose_ports(deployment, claims); !chosen) return chosen;
  }
  const auto children = plan_children(state, deployment, programs_folder());
  if (const auto missing = missing_programs(children); !missing.empty())
    return core::refuse(core::ErrorCode::unavailable,
                        fmt::format("missing programs: {}\n  nucleus doctor shows how to get them",
                                    fmt::join(missing, ", ")));
  if (auto saved = save_deployment(state, deployment); !saved) return saved;
  if (auto written = write_settings(state, children); !written) return written;
  if (deployment.options.has_slurm)
    if (auto written = write_slurm_hooks(state, programs_folder()); !written) return written;
  auto measured = children;
  for (auto& child : rack_children(state, deployment)) measured.push_back(std::move(child));
  if (auto written = write_targets(state, measured); !written) return written;
  return write_subscriber_rights(state, deployment);
}

core::Result<int> up(const UpArguments& arguments) {
  umask(077);
  const auto started = Clock::now();
  const StateDirectory state(arguments.state);
  if (auto created = state.create(); !created) return std::unexpected(created.error());
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  const auto before = load_deployment(state);
  if (!before) return std::unexpected(before.error());
  auto deployment = desired_deployment(arguments, state, *before);
  if (!deployment) return std::unexpected(deployment.error());
  const bool is_supervised = running_supervisor(state).pid != 0;
  auto table = load_processes(state);
  bool is_anything_running = is_any_running(table);
  if (*before && (*before)->options != deployment->options && is_anything_running) {
    if (is_supervised)
      return core::refuse(
          core::ErrorCode::wrong_state,
          "already running with other options: nucleus down --state " + state.root());
    if (auto stopped = stop_all(state); !stopped) return std::unexpected(stopped.error());
    is_anything_running = false;
  }
  PortClaims claims;
  if (!is_supervised) {
    if (auto prepared = prepare(state, *deployment, is_anything_running, claims); !prepared)
      return std::unexpected(prepared.error());
    if (auto running = start_supervisor(state); !running) return std::unexpected(running.error());
  }
  if (auto rack = start_rack(state, *deployment); !rack) return std::unexpected(rack.error());
  Caller caller(local_link_options(state));
  if (auto ready = wait_ready(state, *deployment, table, caller); !ready)
    return core::refuse(
        ready.error().code,
        ready.error().detail + "\n  to stop everything: nucleus down --state " + state.root());
  const auto created = create_first_accounts(state, endpoints(state, *deployment), caller);
  if (!created) return std::unexpected(created.error());
  const std::chrono::duration<double> took = Clock::now() - started;
  std::cout << fmt::format("nucleus is up at {} ({:.1f} s)\n  . {}/env\n",
                           gateway_url(deployment->options), took.count(), state.root());
  return 0;
}

/// Nodes stop with the deployment, so computesets end first, charged up to now. One that does not
/// end in time ends after the next `up`.
void end_computesets(const StateDirectory& state) {
  if (!running_supervisor(state).pid) return;
  Caller caller(local_link_options(state));
  const auto deadline = Clock::now() + computesets_timeout;
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
    if (!caller.call(msg::PowerComputeset{.computeset_id = computeset.computeset_id,
                                          .viewer = {.is_operator = true},
                                          .action = msg::PowerAction::poweroff},
                     options))
      return;
  while (left && !left->computesets.empty() && Clock::now() < deadline) {
    poll(nullptr, 0, 20);
    left = active();
  }
}

core::Result<int> down(const StateArguments& arguments) {
  const StateDirectory state(arguments.state);
  if (!state.exists() && !is_host(state))
    return core::refuse(core::ErrorCode::not_found, "no deployment in " + state.root());
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  if (is_host(state)) {
    if (auto stopped = stop_supervised(state); !stopped) return std::unexpected(stopped.error());
    std::cout << "this host has stopped; its data remain in " << state.root() << "\n";
    return 0;
  }
  end_computesets(state);
  const auto deployment = load_deployment(state);
  if (deployment && *deployment)
    if (auto stopped = stop_rack(state, **deployment); !stopped)
      return std::unexpected(stopped.error());
  if (auto stopped = stop_supervised(state); !stopped) return std::unexpected(stopped.error());
  std::cout << "nucleus is down; its data remain in " << state.root() << "\n";
  return 0;
}

core::Result<int> run_supervisor(const StateArguments& arguments) {
  return supervise(StateDirectory(arguments.state));
}

void describe_up(CommandOptions& options, UpArguments& arguments) {
  options.state(arguments.state);
  options.add("--listen", arguments.listen,
              "ADDRESS:PORT of the gateway; with TLS, unless the address is 127.0.0.1");
  options.add("--console-listen", arguments.console_listen,
              "ADDRESS:PORT of the console; default: the gateway's address and a free port");
  options.add("--bus-listen", arguments.bus_listen,
              "address for hosts that join and for event subscribers; default: 127.0.0.1");
  options.add("--port", arguments.ports,
              "PURPOSE=PORT, for example requests=5570 events=5571 console_hosts=5572 "
              "image_store=5573, where hosts reach the head; default: free ports; may be repeated");
  options.flag("--simulated", arguments.is_simulated, "simulate hosts, without a hypervisor");
  options.add("--hosts", arguments.hosts, "number of simulated hosts").between(1, 100'000);
  options
      .add("--rack", arguments.rack,
           "number of hosts on this machine, joined over TCP, in place of the machine itself")
      .between(1, rack_hosts_max);
  options.flag("--with-slurm", arguments.has_slurm,
               "run a private Slurm on all hosts of --rack but the first; computesets run as its "
               "jobs");
  auto certificate = options.add("--tls-certificate", arguments.tls.certificate,
                                 "PEM file with the certificate and its intermediate "
                                 "certificates; serves https and wss");
  auto key = options.add("--tls-key", arguments.tls.key, "PEM file with the certificate's key");
  key.needs(certificate);
  certificate.needs(key);
  options
      .add("--tls-ca", arguments.tls.ca,
           "PEM file with the CA that clients use to verify the server (NUCLEUS_CA_FILE)")
      .needs(certificate);
  options
      .flag("--no-tls", arguments.has_no_tls,
            "serve http, on every address, until the next --listen")
      .excludes(certificate);
}

void describe_state(CommandOptions& options, StateArguments& arguments) {
  options.state(arguments.state);
}

}  // namespace

void add_up(Commands& commands) {
  commands.add<UpArguments>("up", "start the deployment and return when it is ready", up,
                            describe_up);
}

void add_down(Commands& commands) {
  commands.add<StateArguments>("down", "stop the deployment and keep its data", down,
                               describe_state);
}

void add_supervise(Commands& commands) {
  commands.add_hidden<StateArguments>("supervise", "run the supervisor; started by `up`",
                                      run_supervisor, describe_state);
}

}  // namespace nucleus::operator_

// nucleus status: processes with pid, uptime, restarts and health, and hosts.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "operator/commands/commands.hpp"
#include "operator/health.hpp"
#include "operator/supervisor.hpp"
#include "operator/tables.hpp"

namespace nucleus::operator_ {

namespace {

constexpr core::Milliseconds status_timeout{1'000};
constexpr std::size_t hosts_shown_max = 20;

struct StatusArguments {
  std::string state = {};
  bool is_json = false;
};

std::int64_t uptime_s(const ProcessHealth& process) {
  if (!process.is_running) return 0;
  return (unix_ms_now() - process.entry.started_unix_ms) / 1000;
}

std::string health_of(const ProcessHealth& process) {
  return process.is_healthy() ? "healthy" : process.reason;
}

nlohmann::json shown_as_json(const ProcessHealth& process) {
  return {{"name", process.name},
          {"pid", process.is_running ? process.entry.process.pid : 0},
          {"uptime_s", uptime_s(process)},
          {"restarts", process.entry.restarts},
          {"last_end", json_of(process.entry.last_end)},
          {"health", health_of(process)}};
}

void print_processes(const std::vector<ProcessHealth>& processes, pid_t supervisor,
                     const char* start) {
  std::cout << fmt::format("{:<14}{:>8}{:>11}{:>10}  {}\n", "process", "pid", "uptime s",
                           "restarts", "health");
  std::cout << fmt::format(
      "{:<14}{:>8}{:>11}{:>10}  {}\n", "supervisor", supervisor, "", "",
      supervisor ? "healthy" : std::string("not running: start it with ") + start);
  for (const auto& process : processes)
    std::cout << fmt::format("{:<14}{:>8}{:>11}{:>10}  {}\n", process.name,
                             process.is_running ? process.entry.process.pid : 0, uptime_s(process),
                             process.entry.restarts, health_of(process));
}

void print_json(const StateDirectory& state, const Deployment& deployment, const Health& health,
                pid_t supervisor) {
  nlohmann::json json = {{"state", state.root()},
                         {"url", gateway_url(deployment.options)},
                         {"supervisor_pid", supervisor},
                         {"is_ready", health.is_ready(deployment.options)},
                         {"processes", nlohmann::json::array()},
                         {"hosts", nlohmann::json::array()},
                         {"hosts_reason", health.hosts_reason}};
  for (const auto& process : health.processes) json["processes"].push_back(shown_as_json(process));
  for (const auto& host : health.hosts)
    json["hosts"].push_back({{"name", host.host_id.value},
                             {"state", std::string(msg::name_of(host.state))},
                             {"reason", host.reason},
                             {"cpus", host.cpus},
                             {"cpus_used", host.cpus_used},
                             {"memory_mb", host.memory_mb},
                             {"memory_used_mb", host.memory_used_mb},
                             {"accelerator", host.accelerator},
                             {"profile", host.profile},
                             {"profile_reason", host.profile_reason},
                             {"adapters", host.adapters.size()},
                             {"adapters_reason", host.adapters_reason}});
  std::cout << json.dump(2) << "\n";
}

void print_table(const StateDirectory& state, const Deployment& deployment, const Health& health,
                 pid_t supervisor) {
  std::cout << fmt::format("{}  {}\n\n", state.root(), gateway_url(deployment.options));
  print_processes(health.processes, supervisor, "nucleus up");
  std::cout << "\n" << host_heading();
  for (std::size_t i = 0; i < health.hosts.size() && i < hosts_shown_max; ++i)
    std::cout << host_row(health.hosts[i], unix_ms_now());
  if (health.hosts.size() > hosts_shown_max)
    std::cout << fmt::format("and {} more: nucleus host list\n",
                             health.hosts.size() - hosts_shown_max);
  if (!health.hosts_reason.empty())
    std::cout << fmt::format("hosts are not listed: {}\n", health.hosts_reason);
}

/// Of a joined host: its processes, and whether it is connected to the head.
core::Result<int> host_status(const StateDirectory& state, bool is_json) {
  const auto host = load_host(state);
  if (!host) return std::unexpected(host.error());
  const auto supervisor = running_supervisor(state).pid;
  const auto processes = check_host(state, *host, status_timeout);
  const bool is_ready = supervisor && std::ranges::all_of(processes, &ProcessHealth::is_healthy);
  if (is_json) {
    nlohmann::json json = {{"state", state.root()},
                           {"host", host->host_id},
                           {"supervisor_pid", supervisor},
                           {"is_ready", is_ready},
                           {"processes", nlohmann::json::array()}};
    for (const auto& process : processes) json["processes"].push_back(shown_as_json(process));
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << fmt::format("{}  host {}\n\n", state.root(), host->host_id);
    print_processes(processes, supervisor, "nucleus join FILE");
  }
  return is_ready ? 0 : 1;
}

/// Exit code 1 if something is wrong.
core::Result<int> status(const StatusArguments& arguments) {
  const StateDirectory state(arguments.state);
  if (is_host(state)) return host_status(state, arguments.is_json);
  const auto deployment = open_deployment(state);
  if (!deployment) return std::unexpected(deployment.error());
  const auto supervisor = running_supervisor(state);
  Caller caller(local_link_options(state));
  const auto health = check_health(state, *deployment, caller, status_timeout);
  (arguments.is_json ? print_json : print_table)(state, *deployment, health, supervisor.pid);
  return supervisor.pid && health.is_ready(deployment->options) ? 0 : 1;
}

}  // namespace

void add_status(Commands& commands) {
  commands.add<StatusArguments>("status",
                                "show processes and hosts; exit code 1 if one is not healthy",
                                status, [](CommandOptions& options, StatusArguments& arguments) {
                                  options.state(arguments.state);
                                  options.flag("--json", arguments.is_json, "print JSON");
                                });
}

}  // namespace nucleus::operator_

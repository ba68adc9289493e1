// nucleus status: each process with pid, uptime, restarts and health, and the hosts.
#include <fmt/format.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "operator/commands/commands.hpp"
#include "operator/health.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::op {

namespace {

constexpr core::Milliseconds status_patience{1'000};

std::int64_t uptime_s(const ProcessHealth& process) {
  if (!process.is_running) return 0;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  return (now - process.entry.started_unix_ms) / 1000;
}

std::string health_of(const ProcessHealth& process) {
  if (process.is_running && process.is_answering) return "healthy";
  return process.reason;
}

void print_json(const StateDirectory& state, const Deployment& deployment, const Health& health,
                pid_t supervisor) {
  nlohmann::json json = {{"state", state.root()},
                         {"url", gateway_url(deployment.options)},
                         {"supervisor_pid", supervisor},
                         {"is_ready", health.is_ready(deployment.options)},
                         {"processes", nlohmann::json::array()},
                         {"hosts", nlohmann::json::array()}};
  for (const auto& process : health.processes)
    json["processes"].push_back({{"name", process.name},
                                 {"pid", process.is_running ? process.entry.process.pid : 0},
                                 {"uptime_s", uptime_s(process)},
                                 {"restarts", process.entry.restarts},
                                 {"last_end", process.entry.last_end},
                                 {"health", health_of(process)}});
  for (const auto& host : health.hosts)
    json["hosts"].push_back({{"name", host.host_id.value},
                             {"state", std::string(msg::name_of(host.state))},
                             {"reason", host.reason},
                             {"cpus", host.cpus},
                             {"cpus_used", host.cpus_used},
                             {"memory_mb", host.memory_mb},
                             {"memory_used_mb", host.memory_used_mb},
                             {"accelerator", host.accelerator}});
  std::cout << json.dump(2) << "\n";
}

void print_table(const StateDirectory& state, const Deployment& deployment, const Health& health,
                 pid_t supervisor) {
  std::cout << fmt::format("{}  {}\n\n", state.root(), gateway_url(deployment.options));
  std::cout << fmt::format("{:<14}{:>8}{:>11}{:>10}  {}\n", "process", "pid", "uptime s",
                           "restarts", "health");
  std::cout << fmt::format("{:<14}{:>8}{:>11}{:>10}  {}\n", "supervisor", supervisor, "", "",
                           supervisor ? "healthy" : "is not running: nucleus up takes over");
  for (const auto& process : health.processes)
    std::cout << fmt::format("{:<14}{:>8}{:>11}{:>10}  {}\n", process.name,
                             process.is_running ? process.entry.process.pid : 0, uptime_s(process),
                             process.entry.restarts, health_of(process));
  std::cout << fmt::format("\n{:<22}{:<13}{:>12}{:>20}  {}\n", "host", "state", "cpus", "memory MB",
                           "accelerator");
  constexpr std::size_t hosts_shown = 20;
  for (std::size_t i = 0; i < health.hosts.size() && i < hosts_shown; ++i) {
    const auto& host = health.hosts[i];
    std::cout << fmt::format(
        "{:<22}{:<13}{:>12}{:>20}  {} {}\n", host.host_id.value, msg::name_of(host.state),
        fmt::format("{}/{}", host.cpus_used, host.cpus),
        fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), host.accelerator, host.reason);
  }
  if (health.hosts.size() > hosts_shown)
    std::cout << fmt::format("and {} more: nucleus host list\n", health.hosts.size() - hosts_shown);
}

core::Result<int> status(const std::string& directory, bool is_json) {
  const StateDirectory state(directory);
  const auto deployment = open_deployment(state);
  if (!deployment) return std::unexpected(deployment.error());
  const auto supervisor = running_supervisor(state);
  Caller caller(local_access(state));
  const auto health = look(state, *deployment, caller, status_patience);
  (is_json ? print_json : print_table)(state, *deployment, health, supervisor.pid);
  return supervisor.pid && health.is_ready(deployment->options) ? 0 : 1;
}

}  // namespace

void add_status(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("status", "processes and hosts; exit code 1 where one ails");
  auto state = add_state_option(*command);
  auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "for programs");
  command->callback([&chosen, state, is_json] {
    chosen = [state, is_json] { return status(*state, *is_json); };
  });
}

}  // namespace nucleus::op

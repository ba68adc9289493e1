// nucleus slurm: what Slurm's Prolog and Epilog run on a host.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "core/runtime/child_process.hpp"
#include "operator/commands/commands.hpp"
#include "operator/health.hpp"
#include "operator/supervisor.hpp"
#include "operator/verify/collect.hpp"

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;

constexpr core::Milliseconds check_timeout{2'000};
constexpr std::size_t names_shown_max = 4;
constexpr std::uint32_t timeout_max_s = 3'600;

struct HookArguments {
  std::string state = {};
  std::string drain = {};  // the node
  std::uint32_t timeout_s = 120;
  std::uint32_t free_mb_min = 1'024;
};

/// If it fails, so does the hook, and Slurm drains the node.
core::Result<HostDeployment> host_of(const HookArguments& arguments, const StateDirectory& state) {
  if (is_host(state)) return load_host(state);
  const auto node = arguments.drain.empty() ? "" : "node " + arguments.drain + ": ";
  return core::refuse(core::ErrorCode::not_found,
                      node + state.root() + " is not the state directory of a host");
}

/// The domains and taps of nodes; empty if there are none.
core::Result<std::string> remains_of(const StateDirectory& state, const HostDeployment& host) {
  if (host.is_simulated) return std::string{};
  const auto found = collect_host_evidence(state, host, {});
  if (!found) return std::unexpected(found.error());
  std::vector<std::string> names(found->domains.begin(), found->domains.end());
  for (const auto& [port, vlan] : found->tap_ports) names.push_back(port);
  if (names.empty()) return std::string{};
  const auto count = names.size();
  names.resize(std::min(count, names_shown_max));
  return fmt::format("{} domains and ports are left: {}", count, fmt::join(names, ", "));
}

std::uint64_t free_mb(const std::string& path) {
  struct statvfs space = {};
  if (statvfs(path.c_str(), &space) != 0) return 0;
  return space.f_bavail * (space.f_frsize >> 10U) >> 10U;
}

/// Why the host must not run nodes; empty if it may.
std::string problem_of(const StateDirectory& state, const HostDeployment& host,
                       std::uint32_t free_mb_min) {
  if (!running_supervisor(state).pid) return "nucleus join does not run";
  if (auto problem = problem_of(check_host(state, host, check_timeout)); !problem.empty())
    return problem;
  if (const auto left = free_mb(state.root()); left < free_mb_min)
    return fmt::format("only {} MiB are free in {}", left, state.root());
  const auto remains = remains_of(state, host);
  return remains ? *remains : remains.error().detail;
}

/// Reports the problem, and drains the node if one is named.
core::Result<int> fail(const HookArguments& arguments, const std::string& hook,
                       const std::string& problem) {
  const auto reason = "nucleus " + hook + ": " + problem;
  std::cerr << reason << "\n";
  if (arguments.drain.empty()) return 1;
  const auto drained =
      core::must_run_child({.argv = {"scontrol", "update", "NodeName=" + arguments.drain,
                                     "State=DRAIN", "Reason=" + reason}});
  if (!drained) std::cerr << "scontrol: " << drained.error().detail << "\n";
  return 1;
}

core::Result<int> prolog(const HookArguments& arguments) {
  const StateDirectory state(arguments.state);
  const auto host = host_of(arguments, state);
  if (!host) return std::unexpected(host.error());
  const auto problem = problem_of(state, *host, arguments.free_mb_min);
  return problem.empty() ? core::Result<int>{0} : fail(arguments, "prolog", problem);
}

/// The job is over, and the scheduler stops its nodes: waits for the last of them.
core::Result<int> epilog(const HookArguments& arguments) {
  const StateDirectory state(arguments.state);
  const auto host = host_of(arguments, state);
  if (!host) return std::unexpected(host.error());
  const auto deadline = Clock::now() + std::chrono::seconds{arguments.timeout_s};
  while (true) {
    const auto remains = remains_of(state, *host);
    if (remains && remains->empty()) return 0;
    if (Clock::now() > deadline)
      return fail(arguments, "epilog", remains ? *remains : remains.error().detail);
    poll(nullptr, 0, 200);
  }
}

void describe(CommandOptions& options, HookArguments& arguments) {
  options.state(arguments.state);
  options.add("--drain", arguments.drain, "Slurm node to drain, with the reason, if a check fails");
}

}  // namespace

void add_slurm(Commands& commands) {
  auto group = commands.group("slurm", "checks of a host, for Slurm's Prolog and Epilog");
  group.add<HookArguments>("prolog", "check that this host can run nodes, and that none is left",
                           prolog, [](CommandOptions& options, HookArguments& arguments) {
                             describe(options, arguments);
                             options
                                 .add("--min-free-mb", arguments.free_mb_min,
                                      "MiB that must be free in DIR; default: 1024")
                                 .between(0, 1U << 30U);
                           });
  group.add<HookArguments>("epilog", "wait until no node is left on this host", epilog,
                           [](CommandOptions& options, HookArguments& arguments) {
                             describe(options, arguments);
                             options
                                 .add("--timeout", arguments.timeout_s,
                                      "seconds, after which the check fails; default: 120")
                                 .between(1, timeout_max_s);
                           });
}

}  // namespace nucleus::operator_

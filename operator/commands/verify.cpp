// nucleus verify: compares what is stored with what runs, without asking a service.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <iterator>

#include "operator/commands/commands.hpp"
#include "operator/verify/collect.hpp"
#include "operator/verify/findings.hpp"

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;

// What is on its way has arrived by then: a domain that ended, an event that services handle.
constexpr std::chrono::seconds settling_time{10};
constexpr int pause_ms = 500;

struct VerifyArguments {
  std::string state = {};
};

/// The violations that stay. Fewer looks if there are none.
core::Result<std::vector<Violation>> find_lasting(const StateDirectory& state,
                                                  const Deployment& deployment,
                                                  Evidence& evidence) {
  std::optional<std::vector<Violation>> lasting;
  core::Error fault;
  const auto deadline = Clock::now() + settling_time;
  while (true) {
    auto collected = collect_evidence(state, deployment);
    if (collected) {
      evidence = std::move(*collected);
      auto found = find_violations(evidence);
      std::vector<Violation> both;
      if (lasting) std::ranges::set_intersection(*lasting, found, std::back_inserter(both));
      lasting = lasting ? std::move(both) : std::move(found);
      if (lasting->empty()) return *lasting;
    } else {
      fault = collected.error();
    }
    if (Clock::now() >= deadline) break;
    poll(nullptr, 0, pause_ms);
  }
  if (!lasting) return std::unexpected(fault);
  return *lasting;
}

/// Hosts on other machines were not read.
std::string shown_scope(const Evidence& evidence) {
  std::string text =
      fmt::format("{} clusters, {} nodes, {} computesets, {} events", evidence.clusters.size(),
                  evidence.nodes.size(), evidence.computesets.size() + evidence.finished.size(),
                  evidence.events.count);
  for (const auto& host : evidence.read_hosts)
    text += fmt::format("; {}: {} domains, {} ports", host.host_id.value, host.domains.size(),
                        host.tap_ports.size());
  if (const auto others =
          evidence.hosts.size() - std::min(evidence.hosts.size(), evidence.read_hosts.size()))
    text += fmt::format("; domains and ports of {} other hosts not read", others);
  return text;
}

core::Result<int> verify(const VerifyArguments& arguments) {
  const StateDirectory state(arguments.state);
  const auto deployment = open_deployment(state);
  if (!deployment) return std::unexpected(deployment.error());
  Evidence evidence;
  const auto lasting = find_lasting(state, *deployment, evidence);
  if (!lasting) return std::unexpected(lasting.error());
  for (const auto& [what, command] : *lasting)
    std::cout << what << "\n  "
              << (command.empty() ? "a fault of Nucleus: no command mends it" : command) << "\n";
  std::cout << fmt::format("{} orphans and contradictions ({})\n", lasting->size(),
                           shown_scope(evidence));
  return lasting->empty() ? 0 : 1;
}

}  // namespace

void add_verify(Commands& commands) {
  commands.add<VerifyArguments>(
      "verify", "compare what is stored with the domains and ports that exist", verify,
      [](CommandOptions& options, VerifyArguments& arguments) { options.state(arguments.state); });
}

}  // namespace nucleus::operator_

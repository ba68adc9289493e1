// nucleus doctor: checks this machine's prerequisites; each problem comes with the command that
// solves it.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <optional>

#include "messages/fabric_states.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/host_deployment.hpp"
#include "operator/prerequisites.hpp"

namespace nucleus::operator_ {

namespace {

struct DoctorArguments {
  std::string state = {};
  bool is_simulated = false;
  bool is_host = false;
  HostDeployment host = {};
};

std::optional<Finding> doubt_in_isolation(const msg::Host& host) {
  const bool is_broken = host.isolation == msg::IsolationState::broken;
  if (!is_broken && host.isolation != msg::IsolationState::unchecked) return std::nullopt;
  return Finding{.is_error = is_broken,
                 .problem = "the isolation of clusters on host " + host.host_id.value + " is " +
                            std::string(msg::name_of(host.isolation)) + ": " +
                            host.isolation_reason,
                 .solution = "nucleus host check " + host.host_id.value};
}

void add_doubts_in_fabrics(Caller& caller, std::vector<Finding>& findings) {
  const auto found = caller.call(
      msg::ListFabrics{}, {.deadline = core::Milliseconds{2'000}, .ends_if_unavailable = true});
  if (!found) return;
  for (const auto& fabric : found->fabrics) {
    const std::string solution = "docs/operations.md: InfiniBand";
    if (fabric.state != msg::FabricState::in_sync)
      findings.push_back({.is_error = fabric.state == msg::FabricState::broken,
                          .problem = "fabric " + fabric.name + " is " +
                                     std::string(msg::name_of(fabric.state)) + ": " + fabric.reason,
                          .solution = solution});
    for (const auto& warning : fabric.warnings)
      findings.push_back(
          {.is_error = false,
           .problem = "the subnet manager of fabric " + fabric.name + " is not safe: " + warning,
           .solution = solution});
  }
}

/// Hosts and fabrics of a deployment that runs; of another one there is nothing to say.
std::vector<Finding> find_doubts(const std::string& directory) {
  const auto opened = open_caller(directory);
  if (!opened) return {};
  const auto hosts = (*opened)->call(
      msg::ListHosts{}, {.deadline = core::Milliseconds{2'000}, .ends_if_unavailable = true});
  if (!hosts) return {};
  std::vector<Finding> findings;
  add_doubts_in_fabrics(**opened, findings);
  for (const auto& host : hosts->hosts) {
    if (auto doubt = doubt_in_isolation(host)) findings.push_back(std::move(*doubt));
    if (!host.profile_reason.empty())
      findings.push_back(
          {.is_error = true,
           .problem = "host " + host.host_id.value + " takes no nodes: " + host.profile_reason,
           .solution = "docs/hosts.md: Near bare metal: the profile hpc"});
  }
  return findings;
}

core::Result<int> doctor(const DoctorArguments& arguments) {
  const StateDirectory state(arguments.state);
  const bool is_only_host = arguments.is_host || is_host(state);
  const Role role = is_only_host             ? Role::host
                    : arguments.is_simulated ? Role::head
                                             : Role::head_and_host;
  if (auto valid = check_own_services(arguments.host); !valid)
    return std::unexpected(valid.error());
  auto findings = find_problems(state, role, arguments.host);
  if (!is_only_host) std::ranges::move(find_doubts(arguments.state), std::back_inserter(findings));
  for (const auto& finding : findings) std::cout << shown(finding);
  if (std::ranges::any_of(findings, &Finding::is_error)) return 1;
  std::cout << "this machine meets all requirements\n";
  return 0;
}

}  // namespace

void add_doctor(Commands& commands) {
  commands.add<DoctorArguments>(
      "doctor", "check this machine's prerequisites, and say how to meet them", doctor,
      [](CommandOptions& options, DoctorArguments& arguments) {
        options.state(arguments.state);
        options.flag("--simulated", arguments.is_simulated, "only what simulated hosts need");
        const auto host =
            options.flag("--host", arguments.is_host, "only what a host needs, before it joins");
        options.add("--uplink", arguments.host.uplink, "check this interface, too").needs(host);
        options.add("--public-uplink", arguments.host.public_uplink, "check this interface, too")
            .needs(host);
        const auto ovs =
            options.add("--ovs", arguments.host.ovs_directory, "check this switch of the machine")
                .needs(host);
        options.add("--libvirt", arguments.host.libvirt_uri, "check this libvirtd of the machine")
            .needs(ovs);
      });
}

}  // namespace nucleus::operator_

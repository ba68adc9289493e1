// nucleus doctor: checks this machine's prerequisites; each problem comes with the command that
// solves it.
#include <algorithm>
#include <iostream>

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

core::Result<int> doctor(const DoctorArguments& arguments) {
  const StateDirectory state(arguments.state);
  const bool is_only_host = arguments.is_host || is_host(state);
  const Role role = is_only_host             ? Role::host
                    : arguments.is_simulated ? Role::head
                                             : Role::head_and_host;
  if (auto valid = check_own_services(arguments.host); !valid)
    return std::unexpected(valid.error());
  const auto findings = find_problems(state, role, arguments.host);
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

// What a machine needs to be a head or a host, and how to meet it. `nucleus doctor` prints what is
// missing; `nucleus join` changes nothing before it is there.
#pragma once

#include <string>
#include <vector>

#include "operator/host_deployment.hpp"

namespace nucleus::operator_ {

enum class Role { head_and_host, head, host };

struct Finding {
  bool is_error = false;  // otherwise a warning
  std::string problem = {};
  std::string solution = {};
};

/// Checks this machine, and of `host`, if it is not empty, the uplinks, and the machine's own
/// libvirtd and switch.
std::vector<Finding> find_problems(const StateDirectory& state, Role role,
                                   const HostDeployment& host = {});

/// A problem and its solution, in two lines.
std::string shown(const Finding& finding);

}  // namespace nucleus::operator_

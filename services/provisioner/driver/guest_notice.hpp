// Tells the people who are logged in to a guest something, by its agent.
#pragma once

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Writes `text`, a line, to /run/nucleus-notice in the guest and to the terminals of all who are
/// logged in; the latter only if the guest has `wall`. Errors are those of run_in_guest().
core::Result<msg::Done> notify_guest(Hypervisor& hypervisor, const std::string& domain,
                                     const std::string& text);

}  // namespace nucleus::provisioner

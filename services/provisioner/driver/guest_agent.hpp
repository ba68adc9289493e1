// Commands inside a guest through QEMU's guest agent: guest-exec, then guest-exec-status until the
// command has ended.
#pragma once

#include <libvirt/libvirt.h>

#include <optional>
#include <string>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Runs the command. Blocks until it has ended or its deadline has passed, and for one answer of
/// the agent (5 s) more at most.
core::Result<GuestOutput> run_by_agent(virDomain* domain, const GuestCommand& command);

/// The `return` object of an agent's answer, as JSON text; `internal` if the answer has none. The
/// answer is untrusted: the guest decides what is in it.
core::Result<std::string> agent_return(const std::string& answer);

/// The output in the return object of guest-exec-status; nothing while the command runs.
std::optional<GuestOutput> command_output(const std::string& status);

}  // namespace nucleus::provisioner

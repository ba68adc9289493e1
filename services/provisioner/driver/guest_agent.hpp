// Commands inside a guest through QEMU's agent: guest-exec, then guest-exec-status until it ended.
#pragma once

#include <libvirt/libvirt.h>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Runs the command; blocks until it ended or its deadline passed.
core::Result<GuestOutput> run_by_agent(virDomain* domain, const GuestCommand& command);

}  // namespace nucleus::provisioner

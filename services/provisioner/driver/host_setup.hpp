// What a host with real guests needs before its first domain: directories, and an accelerator that
// works. Guests may hang under KVM although /dev/kvm exists. Blocks: runs on a worker.
#pragma once

#include <string>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// KVM if a guest with this kernel boots under it, to the point where it misses its root disk;
/// else TCG, as when QEMU's user may not open /dev/kvm. Takes up to 8 s.
FoundAccelerator find_accelerator(const std::string& kernel_path, const QemuUser& user);

/// DIRECTORY/domains for consoles and logs, DIRECTORY/seeds for seed drives. If they cannot be
/// made, creating a domain fails with that reason.
void make_state_directories(const std::string& directory);

}  // namespace nucleus::provisioner

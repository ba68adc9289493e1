// Whether this machine's KVM can be believed: /dev/kvm may be there, and guests hang all the same.
#pragma once

#include <string>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

struct FoundAccelerator {
  Accel accel = Accel::tcg;
  std::string reason = {};  // for a person
};

/// KVM where a guest with this kernel really booted under it, to the point where it misses its root
/// disk and ends; else TCG. Blocks for some seconds at most.
FoundAccelerator find_accelerator(const std::string& kernel_path);

}  // namespace nucleus::provisioner

// The memory of domains by libvirt: saved to a file, and checked. Blocks, for as long as writing
// and reading all of it takes.
#pragma once

#include <libvirt/libvirt.h>

#include <string>

#include "core/result.hpp"

namespace nucleus::provisioner {

/// As Hypervisor::save_memory(), of a domain that QEMU runs.
core::Result<std::uint64_t> save_memory_of(virConnect* connection, const std::string& name,
                                           const std::string& path);

/// The same of a simulated domain, whose memory is its name.
core::Result<std::uint64_t> save_simulated_memory(virConnect* connection, const std::string& name,
                                                  const std::string& path);

}  // namespace nucleus::provisioner

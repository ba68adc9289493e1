// Lets QEMU, which runs as an unprivileged user, reach the files of its domain. Blocks.
#pragma once

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// The user of this name with its first group; `not_found` if there is none, or it is root.
core::Result<QemuUser> find_qemu_user(const std::string& name);

/// Makes the variables of a UEFI domain, unless they exist. `unavailable`: the firmware is not
/// installed on this host, or the disk is full.
core::Result<void> make_firmware_variables(const DomainSpec& spec);

/// The user owns the disks, with their layers, and variables that the domain writes, and the folder
/// of the consoles;
/// what several domains read belongs to root and is readable. Nothing if the spec names no user.
core::Result<void> give_files(const DomainSpec& spec);

}  // namespace nucleus::provisioner

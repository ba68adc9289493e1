// The security driver of libvirt that confines each QEMU process of a host, beside its unprivileged
// user and its sandbox.
#pragma once

#include <string>

namespace nucleus::operator_ {

struct SecurityDriver {
  std::string name = "none";  // as in libvirt's qemu.conf: apparmor or none
  std::string reason = {};    // why it is none
  std::string solution = {};  // what to do about it
};

/// AppArmor if the kernel has it, libvirt's profiles are in force, and the machine's rules let QEMU
/// use the files below `state`: without those rules no node would start. `root` is / but in tests.
SecurityDriver find_security_driver(const std::string& root, const std::string& state);

}  // namespace nucleus::operator_

#include "services/provisioner/driver/accelerator.hpp"

#include <unistd.h>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace {
// A stock kernel reaches its missing root disk within two seconds under a KVM that works.
constexpr std::chrono::milliseconds boot_deadline{8'000};
}  // namespace

FoundAccelerator find_accelerator(const std::string& kernel_path) {
  if (access("/dev/kvm", R_OK | W_OK) != 0) return {Accel::tcg, "there is no /dev/kvm"};
  if (kernel_path.empty() || access(kernel_path.c_str(), R_OK) != 0)
    return {Accel::tcg, "no kernel to probe KVM with"};
  // The kernel panics without a root disk, panic=-1 resets at once, and -no-reboot makes that the
  // end.
  const auto ran = core::run_child({.argv = {"qemu-system-x86_64",
                                             "-accel",
                                             "kvm",
                                             "-cpu",
                                             "host",
                                             "-machine",
                                             "q35",
                                             "-m",
                                             "256",
                                             "-nodefaults",
                                             "-no-user-config",
                                             "-display",
                                             "none",
                                             "-no-reboot",
                                             "-serial",
                                             "stdio",
                                             "-kernel",
                                             kernel_path,
                                             "-append",
                                             "console=ttyS0 panic=-1 quiet"},
                                    .deadline = boot_deadline});
  if (!ran) return {Accel::tcg, "a probe guest under KVM: " + ran.error().detail};
  if (!core::is_success(ran->end) || ran->output.find("Kernel panic") == std::string::npos)
    return {Accel::tcg, "a probe guest did not boot under KVM"};
  return {Accel::kvm, "a probe guest booted under KVM"};
}

}  // namespace nucleus::provisioner

#include "services/provisioner/driver/host_setup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace {
// A stock kernel reaches its missing root disk within 2 s under a KVM that works.
constexpr std::chrono::milliseconds boot_timeout{8'000};

bool may_open(const char* device, const QemuUser& user) {
  struct stat entry {};
  if (user.uid == 0) return access(device, R_OK | W_OK) == 0;
  if (stat(device, &entry) != 0) return false;
  const mode_t wanted = entry.st_uid == user.uid ? 0600 : entry.st_gid == user.gid ? 0060 : 0006;
  return (entry.st_mode & wanted) == wanted;
}
}  // namespace

FoundAccelerator find_accelerator(const std::string& kernel_path, const QemuUser& user) {
  if (!may_open("/dev/kvm", user)) return {Accel::tcg, "/dev/kvm is not accessible"};
  if (kernel_path.empty() || access(kernel_path.c_str(), R_OK) != 0)
    return {Accel::tcg, "provisioner.probe_kernel is not readable"};
  // Without a root disk the kernel panics; panic=-1 then resets, and -no-reboot makes that an exit.
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
                                    .deadline = boot_timeout});
  if (!ran) return {Accel::tcg, "the probe guest failed under KVM: " + ran.error().detail};
  if (!core::is_success(ran->end) || ran->output.find("Kernel panic") == std::string::npos)
    return {Accel::tcg, "the probe guest did not boot under KVM"};
  return {Accel::kvm, "the probe guest booted under KVM"};
}

void make_state_directories(const std::string& directory) {
  std::error_code ignored;
  for (const char* name : {"/domains", "/seeds"})
    std::filesystem::create_directories(directory + name, ignored);
}

}  // namespace nucleus::provisioner

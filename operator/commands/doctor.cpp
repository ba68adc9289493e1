// nucleus doctor: what this machine lacks, and the line that mends it.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

constexpr std::uint64_t free_bytes_least = 8ULL << 30;
constexpr std::uint64_t memory_mb_least = 2'048;

struct Finding {
  bool is_fault = false;  // else a remark
  std::string what = {};
  std::string mend = {};
};

class Doctor {
 public:
  explicit Doctor(const StateDirectory& state) : state_{state} {}

  std::vector<Finding> look(bool is_simulated) {
    need_programs(is_simulated);
    if (!is_simulated) need_hypervisor();
    need_space();
    return std::move(findings_);
  }

 private:
  void fault(std::string what, std::string mend) {
    findings_.push_back({.is_fault = true, .what = std::move(what), .mend = std::move(mend)});
  }

  void need_program(const char* program, const char* package) {
    if (find_program(program).empty())
      fault(fmt::format("{} is not installed", program),
            fmt::format("apt-get install -y --no-install-recommends {}", package));
  }

  void need_programs(bool is_simulated) {
    need_program("redis-server", "redis-server");
    Deployment shape;
    shape.options.is_simulated = is_simulated;
    shape.host_id = "host";
    for (const auto& program : missing_programs(plan_children(state_, shape, programs_folder())))
      if (program != "redis-server")
        fault(program + " is not built",
              "cmake --preset release && cmake --build --preset release");
  }

  void need_hypervisor() {
    if (geteuid() != 0)
      fault("real hosts need root", "sudo nucleus up, or nucleus up --simulated --hosts 4");
    need_program("libvirtd", "libvirt-daemon-system libvirt-daemon-driver-qemu");
    need_program("virsh", "libvirt-clients");
    need_program("qemu-system-x86_64", "qemu-system-x86");
    need_program("qemu-img", "qemu-utils");
    need_program("ovs-vswitchd", "openvswitch-switch");
    need_program("ip", "iproute2");
    need_program("unshare", "util-linux");
    need_program("mformat", "mtools");
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
      fault("/dev/net/tun cannot be opened: nodes get no network",
            "modprobe tun; or: mkdir -p /dev/net && mknod /dev/net/tun c 10 200");
    if (access("/dev/kvm", R_OK | W_OK) != 0)
      findings_.push_back({.what = "/dev/kvm cannot be opened: nodes run in software, slowly",
                           .mend = "modprobe kvm_intel or kvm_amd; switch on virtualization in the "
                                   "firmware"});
  }

  void need_space() {
    std::filesystem::path folder = state_.root();
    while (!folder.empty() && !std::filesystem::exists(folder)) folder = folder.parent_path();
    struct statvfs space {};
    if (statvfs(folder.c_str(), &space) == 0 && space.f_bavail * space.f_frsize < free_bytes_least)
      fault(fmt::format("{} has {} MB free; images want 8192", folder.string(),
                        space.f_bavail * space.f_frsize >> 20),
            "nucleus up --state DIR, with DIR on a larger disk");
    std::ifstream memory("/proc/meminfo");
    std::uint64_t kilobytes = 0;
    for (std::string word; memory >> word;)
      if (word == "MemAvailable:" && memory >> kilobytes) break;
    if (kilobytes && kilobytes / 1024 < memory_mb_least)
      fault(fmt::format("{} MB of memory are free; the demo wants {}", kilobytes / 1024,
                        memory_mb_least),
            "end what uses it: ps -e -o pid,rss,comm --sort=-rss | head");
  }

  const StateDirectory& state_;
  std::vector<Finding> findings_ = {};
};

core::Result<int> doctor(const std::string& directory, bool is_simulated) {
  const StateDirectory state(directory);
  bool is_well = true;
  for (const auto& finding : Doctor(state).look(is_simulated)) {
    std::cout << fmt::format("{} {}\n       {}\n",
                             finding.is_fault ? "lacks: " : "note:  ", finding.what, finding.mend);
    is_well = is_well && !finding.is_fault;
  }
  if (is_well) std::cout << "this machine has what Nucleus needs\n";
  return is_well ? 0 : 1;
}

}  // namespace

void add_doctor(CLI::App& app, Action& chosen) {
  auto* command = app.add_subcommand("doctor", "what this machine lacks, and what mends it");
  auto state = add_state_option(*command);
  auto is_simulated = std::make_shared<bool>(false);
  command->add_flag("--simulated", *is_simulated, "only what simulated hosts need");
  command->callback([&chosen, state, is_simulated] {
    chosen = [state, is_simulated] { return doctor(*state, *is_simulated); };
  });
}

}  // namespace nucleus::op

// nucleus doctor: checks this machine's prerequisites; each problem comes with the command that
// solves it.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "operator/commands/commands.hpp"
#include "operator/deployment.hpp"

namespace nucleus::operator_ {

namespace {

constexpr std::uint64_t free_bytes_min = 8ULL << 30;
constexpr std::uint64_t memory_mb_min = 2'048;

struct DoctorArguments {
  std::string state = {};
  bool is_simulated = false;
};

struct Finding {
  bool is_error = false;  // otherwise a warning
  std::string problem = {};
  std::string solution = {};
};

class Doctor {
 public:
  explicit Doctor(const StateDirectory& state) : state_{state} {}

  std::vector<Finding> examine(bool is_simulated) {
    check_programs(is_simulated);
    if (!is_simulated) check_hypervisor();
    check_space();
    return std::move(findings_);
  }

 private:
  void error(std::string problem, std::string solution) {
    findings_.push_back(
        {.is_error = true, .problem = std::move(problem), .solution = std::move(solution)});
  }

  void require_program(const char* program, const char* package) {
    if (find_program(program).empty())
      error(fmt::format("{} is not installed", program),
            fmt::format("apt-get install -y --no-install-recommends {}", package));
  }

  void check_programs(bool is_simulated) {
    require_program("redis-server", "redis-server");
    Deployment shape;
    shape.options.is_simulated = is_simulated;
    shape.host_id = "host";
    for (const auto& program : missing_programs(plan_children(state_, shape, programs_folder())))
      if (program != "redis-server")
        error(program + " is not built",
              "cmake --preset release && cmake --build --preset release");
  }

  void check_hypervisor() {
    if (geteuid() != 0)
      error("real hosts need root", "sudo nucleus up, or nucleus up --simulated --hosts 4");
    require_program("libvirtd", "libvirt-daemon-system libvirt-daemon-driver-qemu");
    require_program("virsh", "libvirt-clients");
    require_program("qemu-system-x86_64", "qemu-system-x86");
    require_program("qemu-img", "qemu-utils");
    require_program("nbdkit", "nbdkit");
    require_program("ovs-vswitchd", "openvswitch-switch");
    require_program("ip", "iproute2");
    require_program("unshare", "util-linux");
    require_program("mformat", "mtools");
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
      error("/dev/net/tun cannot be opened: nodes would have no network",
            "modprobe tun; or: mkdir -p /dev/net && mknod /dev/net/tun c 10 200");
    if (access("/dev/kvm", R_OK | W_OK) != 0)
      findings_.push_back(
          {.problem = "/dev/kvm cannot be opened: nodes use slow software emulation",
           .solution = "modprobe kvm_intel or kvm_amd; enable virtualization in the firmware"});
  }

  void check_space() {
    std::filesystem::path folder = state_.root();
    while (!folder.empty() && !std::filesystem::exists(folder)) folder = folder.parent_path();
    struct statvfs space {};
    if (statvfs(folder.c_str(), &space) == 0 && space.f_bavail * space.f_frsize < free_bytes_min)
      error(fmt::format("{} has {} MB free; images need 8192", folder.string(),
                        space.f_bavail * space.f_frsize >> 20),
            "nucleus up --state DIR, with DIR on a larger disk");
    std::ifstream memory("/proc/meminfo");
    std::uint64_t kilobytes = 0;
    for (std::string word; memory >> word;)
      if (word == "MemAvailable:" && memory >> kilobytes) break;
    if (kilobytes && kilobytes / 1024 < memory_mb_min)
      error(fmt::format("{} MB of memory are free; the demo needs {}", kilobytes / 1024,
                        memory_mb_min),
            "stop other processes: ps -e -o pid,rss,comm --sort=-rss | head");
  }

  const StateDirectory& state_;
  std::vector<Finding> findings_ = {};
};

core::Result<int> doctor(const DoctorArguments& arguments) {
  const StateDirectory state(arguments.state);
  bool is_ready = true;
  for (const auto& finding : Doctor(state).examine(arguments.is_simulated)) {
    std::cout << fmt::format("{} {}\n         {}\n",
                             finding.is_error ? "error:  " : "warning:", finding.problem,
                             finding.solution);
    is_ready = is_ready && !finding.is_error;
  }
  if (is_ready) std::cout << "this machine meets all requirements\n";
  return is_ready ? 0 : 1;
}

}  // namespace

void add_doctor(Commands& commands) {
  commands.add<DoctorArguments>(
      "doctor", "check this machine's prerequisites, and say how to meet them", doctor,
      [](CommandOptions& options, DoctorArguments& arguments) {
        options.state(arguments.state);
        options.flag("--simulated", arguments.is_simulated, "only what simulated hosts need");
      });
}

}  // namespace nucleus::operator_

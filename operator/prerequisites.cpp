#include "operator/prerequisites.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>

#include "core/runtime/child_process.hpp"
#include "operator/deployment.hpp"
#include "operator/run_ovs.hpp"
#include "operator/security_driver.hpp"
#include "operator/uplink.hpp"

namespace nucleus::operator_ {

namespace {

constexpr std::uint64_t free_bytes_min = 8ULL << 30;
constexpr std::uint64_t memory_mb_min = 2'048;
constexpr std::chrono::milliseconds answer_timeout{5'000};

class Examination {
 public:
  Examination(const StateDirectory& state, Role role, const HostDeployment& host)
      : state_{state}, role_{role}, host_{host} {}

  std::vector<Finding> run() {
    if (role_ != Role::host) require_program("redis-server", "redis-server");
    check_own_programs();
    if (role_ != Role::head) check_hypervisor();
    check_uplinks();
    check_space();
    return std::move(findings_);
  }

 private:
  void error(std::string problem, std::string solution) {
    findings_.push_back(
        {.is_error = true, .problem = std::move(problem), .solution = std::move(solution)});
  }

  void warning(std::string problem, std::string solution) {
    findings_.push_back({.problem = std::move(problem), .solution = std::move(solution)});
  }

  /// A host that joins again may be full of its own nodes.
  void short_of(std::string problem, std::string solution) {
    findings_.push_back({.is_error = role_ != Role::host,
                         .problem = std::move(problem),
                         .solution = std::move(solution)});
  }

  void require_program(const char* program, const char* package) {
    if (find_program(program).empty())
      error(fmt::format("{} is not installed", program),
            fmt::format("apt-get install -y --no-install-recommends {}", package));
  }

  std::vector<Child> children() const {
    if (role_ == Role::host) return plan_host_children(state_, host_, programs_folder());
    Deployment shape;
    shape.options.is_simulated = role_ == Role::head;
    shape.host_id = "host";
    return plan_children(state_, shape, programs_folder());
  }

  void check_own_programs() {
    for (const auto& program : missing_programs(children()))
      if (program.starts_with(programs_folder()))
        error(program + " is not built",
              "cmake --preset release && cmake --build --preset release");
  }

  void check_hypervisor() {
    if (geteuid() != 0)
      error("real hosts need root", role_ == Role::host
                                        ? "sudo nucleus join"
                                        : "sudo nucleus up, or nucleus up --simulated --hosts 4");
    if (host_.libvirt_uri.empty())
      check_private_libvirtd();
    else
      check_libvirtd();
    require_program("virsh", "libvirt-clients");
    require_program("qemu-system-x86_64", "qemu-system-x86");
    require_program("qemu-img", "qemu-utils");
    require_program("nbdkit", "nbdkit");
    if (find_program("dnsmasq").empty())
      warning(
          "dnsmasq is not installed: nodes of clusters to which Nucleus gives addresses do not "
          "start here",
          "apt-get install -y --no-install-recommends dnsmasq-base");
    if (host_.ovs_directory.empty())
      require_program("ovs-vswitchd", "openvswitch-switch");
    else
      check_switch();
    require_program("ip", "iproute2");
    require_program("unshare", "util-linux");
    require_program("mformat", "mtools");
    check_namespaces();
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
      error("/dev/net/tun cannot be opened: nodes would have no network",
            "modprobe tun; or: mkdir -p /dev/net && mknod /dev/net/tun c 10 200");
    if (access("/dev/kvm", R_OK | W_OK) != 0)
      warning("/dev/kvm cannot be opened: nodes use slow software emulation",
              "modprobe kvm_intel or kvm_amd; enable virtualization in the firmware");
  }

  void check_private_libvirtd() {
    require_program("libvirtd", "libvirt-daemon-system libvirt-daemon-driver-qemu");
    if (const auto driver = find_security_driver("/", state_.root()); driver.name == "none")
      warning("QEMU runs as an unprivileged user in its sandbox, but without AppArmor: " +
                  driver.reason,
              driver.solution);
  }

  /// The machine's own.
  void check_libvirtd() {
    if (const auto answered = core::must_run_child(
            {.argv = {"virsh", "-c", host_.libvirt_uri, "version"}, .deadline = answer_timeout});
        !answered)
      error(fmt::format("--libvirt: {} does not answer: {}", host_.libvirt_uri,
                        answered.error().detail),
            "systemctl start libvirtd, or join without --libvirt");
    // A private libvirtd shows QEMU what it needs of these directories; this one does not.
    for (auto folder = std::filesystem::path(state_.root()).parent_path(); folder != "/";
         folder = folder.parent_path()) {
      std::error_code missing;
      const auto mode = std::filesystem::status(folder, missing).permissions();
      if (missing || (mode & std::filesystem::perms::others_exec) != std::filesystem::perms::none)
        continue;
      error(fmt::format("--libvirt: QEMU's user cannot reach {} in {}", state_.root(),
                        folder.string()),
            "nucleus join --state DIR, with DIR below /var/lib");
    }
  }

  void check_switch() {
    const auto& folder = host_.ovs_directory;
    const auto bridges =
        run_ovs_vsctl(folder, {"--bare", "--columns=external_ids", "find", "bridge",
                               "external_ids:nucleus!=\"" + state_.root() + '"'});
    if (!bridges)
      error(fmt::format("--ovs: no switch answers in {}: {}", folder, bridges.error().detail),
            "systemctl start openvswitch-switch, or join without --ovs");
    else if (const auto other = bridges->find("nucleus="); other != std::string::npos)
      error("--ovs: another host uses this switch: " +
                bridges->substr(other + 8, bridges->find_first_of(" \n", other) - other - 8),
            "nucleus down --state of that host, or join without --ovs");
    if (!bridges) return;
    for (const auto& [option, uplink] : uplinks_of(host_)) {
      const auto bridge = run_ovs_vsctl(folder, {"port-to-br", uplink});
      const bool is_own =
          bridge && !host_.short_id.empty() && bridge->starts_with(bridge_of(host_) + "\n");
      if (bridge && !is_own)
        unusable(option, fmt::format("--{}: {} is a port of {}", option, uplink,
                                     bridge->substr(0, bridge->find('\n'))));
    }
  }

  void check_uplinks() {
    if (!host_.uplink.empty() && host_.uplink == host_.public_uplink)
      unusable("public-uplink", "--public-uplink: " + host_.uplink + " is the --uplink already");
    if (find_program("ip").empty()) return;
    for (const auto& [option, uplink] : uplinks_of(host_))
      if (const auto usable = check_uplink(option, uplink); !usable)
        unusable(option, usable.error().detail);
  }

  void unusable(const std::string& option, std::string problem) {
    error(std::move(problem),
          fmt::format("ip -brief address; then --{} with a free interface", option));
  }

  /// Root of a container may lack the right.
  void check_namespaces() {
    if (!host_.ovs_directory.empty() && !host_.libvirt_uri.empty()) return;
    const auto unshare = find_program("unshare");
    if (geteuid() != 0 || unshare.empty()) return;
    if (const auto made = core::must_run_child({.argv = {unshare, "-n", "-m", "/bin/true"}}); !made)
      error("network namespaces cannot be created: " + made.error().detail,
            "give this container CAP_SYS_ADMIN and CAP_NET_ADMIN, or use a machine");
  }

  void check_space() {
    std::filesystem::path folder = state_.root();
    while (!folder.empty() && !std::filesystem::exists(folder)) folder = folder.parent_path();
    struct statvfs space {};
    if (statvfs(folder.c_str(), &space) == 0 && space.f_bavail * space.f_frsize < free_bytes_min)
      short_of(fmt::format("{} has {} MB free; images need 8192", folder.string(),
                           space.f_bavail * space.f_frsize >> 20),
               fmt::format("nucleus {} --state DIR, with DIR on a larger disk",
                           role_ == Role::host ? "join" : "up"));
    std::ifstream memory("/proc/meminfo");
    std::uint64_t kilobytes = 0;
    for (std::string word; memory >> word;)
      if (word == "MemAvailable:" && memory >> kilobytes) break;
    if (kilobytes && kilobytes / 1024 < memory_mb_min)
      short_of(fmt::format("{} MB of memory are free; the demo needs {}", kilobytes / 1024,
                           memory_mb_min),
               "stop other processes: ps -e -o pid,rss,comm --sort=-rss | head");
  }

  const StateDirectory& state_;
  const Role role_;
  const HostDeployment& host_;
  std::vector<Finding> findings_ = {};
};

}  // namespace

std::vector<Finding> find_problems(const StateDirectory& state, Role role,
                                   const HostDeployment& host) {
  return Examination(state, role, host).run();
}

std::string shown(const Finding& finding) {
  return fmt::format("{} {}\n         {}\n",
                     finding.is_error ? "error:  " : "warning:", finding.problem, finding.solution);
}

}  // namespace nucleus::operator_

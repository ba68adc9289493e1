// The provisioner's settings, read once at the start. Reading only parses.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/config/settings.hpp"
#include "services/provisioner/driver/adapters.hpp"
#include "services/provisioner/driver/console_streams.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

struct Config {
  DriverTraits driver = libvirt_driver;
  std::vector<msg::HostId> hosts = {};  // one with a name; or simulated ones, from sim-0001 on
  std::string libvirt_uri = {};         // simulated: test:///default
  std::string state_directory = {};     // consoles, logs, seed drives, lease files
  std::string bridge = {};              // Open vSwitch bridge of the ports
  std::string network_namespace = {};   // of the bridge's interfaces; empty = our own
  std::string switch_directory = {};    // has the sockets of Open vSwitch
  std::optional<std::set<std::string>> uplinks = {};  // of the bridge; not set = unknown
  std::uint32_t public_vlan = 0;                      // of public ports on this host; 0 = as leased
  std::string port_prefix = "nuc";     // of tap names: several deployments may share a machine
  Accel accelerator = Accel::unknown;  // unknown = auto: probed at the start
  HostProfile profile = {};            // of all domains of the host
  QemuUser qemu_user = {};             // uid 0 = as libvirt is configured
  std::string uefi_code = {};          // firmware of domains whose image needs UEFI
  std::string uefi_variables = {};     // what its variables are at first
  std::string probe_kernel = {};       // of the guest that probes the accelerator
  std::uint32_t cpus = 0;              // of each host; 0 = as the hypervisor reports
  std::uint64_t memory_mb = 0;         // of each host; 0 = as the hypervisor reports
  std::optional<ConsoleServiceAddress> console_service = {};  // nothing = no consoles
  std::string address = {};  // of this host, as the head sees it; empty = none
  std::optional<core::Endpoint> metrics_listen = {};  // nothing = no /metrics
  std::string image_store_url = {};  // https://ADDRESS:PORT; empty = it shares its directories
  std::string ca_file = {};          // PEM: verifies that server
  std::int64_t layer_send_bytes_per_s = 0;  // of one disk to the image store; 0 = no limit
  std::int64_t chunk_cache_mb = 4'096;      // of chunks of images; 0 = none, and no fan-out
  std::int64_t copy_rate_mb_s = 50;         // of images, while nodes run; 0 = they are not copied
  std::optional<core::Endpoint> chunk_endpoint = {};  // for other hosts; nothing = no fan-out
  std::string pingpong_program = {};  // for the native baseline; empty = no MPI probe of hosts
  std::string mpi_launcher = "ssh -o BatchMode=yes";  // starts ranks on other hosts
  AdapterFunctions adapter_functions = {};            // that nodes can be given
  std::string sysfs = "/sys";                         // where those are looked up
  std::int64_t heartbeat_ms = 500;                    // to the scheduler
  std::int64_t ping_ms = 300;                         // between pings of the hypervisor
  std::int64_t ping_timeout_ms = 1'000;               // until the host is unreachable
  std::int64_t step_timeout_ms = 60'000;              // of one call of the driver
  std::int64_t retry_ms_max = 30'000;                 // between attempts at a step that fails
  std::int64_t console_log_bytes_max = 4 << 20;       // of each domain's serial console
  std::int64_t usage_ms = 10'000;                     // between looks at what domains use
  std::int64_t idle_cpu_percent = 10;      // of its vCPUs: a node that uses less is idle,
  std::int64_t idle_bytes_per_s = 65'536;  // if it reads, writes, receives and sends less

  /// Whether its hosts have volumes of their own, and read images from the image store.
  bool keeps_volumes() const { return !image_store_url.empty(); }

  /// Whether it reads images in chunks, which it keeps.
  bool keeps_chunks() const { return keeps_volumes() && chunk_cache_mb > 0; }

  /// Reads `provisioner.*`; `invalid_argument` if they contradict each other.
  static core::Result<Config> from(core::Settings& settings);
};

/// Where others reach /metrics of this host, ADDRESS:PORT; empty = nowhere. An address that every
/// machine has is the host's own, as the head sees it; a loopback address serves a host on the
/// head's machine.
std::string metrics_address_of(const Config& config);

}  // namespace nucleus::provisioner

// What the provisioner asks of a hypervisor: domains created and destroyed, seen, and reached.
// No type of libvirt is named here; its "node" stops below this interface.
// Calls block, so they run on the worker pool; each may be repeated, and may run beside others.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/runtime/process_end.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

NUCLEUS_ENUM(Accel, tcg, kvm)

using msg::DomainState;

/// A network card: a port on `bridge` (Open vSwitch), access port of `vlan`.
struct PortSpec {
  std::string mac = {};     // 52:54:00:xx:xx:xx
  std::string bridge = {};  // 1..15 characters
  std::uint16_t vlan = 0;   // 1..4094; 0 = untagged
  std::string device = {};  // the tap's name, 1..15 characters, unique on the machine
  bool has_offload =
      false;  // checksums and segments left to the card: breaks TCP on a userspace switch
};

struct DiskSpec {
  std::string path = {};    // absolute
  std::string format = {};  // qcow2 or raw, never guessed
  bool is_read_only = false;
  bool is_cdrom = false;  // booted before the disks
};

struct DomainSpec {
  std::string name = {};        // a name as msg::is_name has it, unique on the host
  std::string uuid = {};        // lower case; domain_uuid() of the node's id
  std::uint64_t epoch = 0;      // of the grant; kept in the domain's metadata
  std::string title = {};       // for a person who lists domains; may be empty
  std::uint32_t cpus = 1;       // 1..1024
  std::uint64_t memory_mb = 0;  // MiB, 16..16 Mi
  Accel accel = Accel::tcg;
  std::string kernel = {};  // direct boot where set, else from the disks, then the network
  std::string initramfs = {};
  std::string cmdline = {};
  std::vector<DiskSpec> disks = {};  // at most 24; vda, vdb …, CD-ROMs apart: sda, sdb …
  std::vector<PortSpec> ports = {};  // at most 16
  std::string runtime_dir = {};      // exists; NAME.serial, NAME.vnc and NAME.log are made in it
};

struct DomainSeen {
  std::string name = {};
  std::string uuid = {};
  DomainState state = DomainState::unknown;
  std::string reason = {};  // why it stopped, paused or crashed; empty where nothing is amiss
  std::uint64_t epoch = 0;  // 0 = no domain of ours
};

/// Unix sockets on the host; the log holds what the serial console printed so far.
struct ConsolePaths {
  std::string serial_socket = {};
  std::string vnc_socket = {};
  std::string serial_log = {};
};

struct HostCapacity {
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  std::string hypervisor = {};  // "QEMU 7.2.22"
};

struct GuestCommand {
  std::vector<std::string> argv = {};  // argv[0] is a path in the guest; no shell
  std::string input = {};              // its stdin
  std::chrono::milliseconds deadline{30'000};
};

struct GuestOutput {
  core::ProcessEnd end = core::exited(0);
  std::string output = {};
  std::string errors = {};
};

class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  /// Brings the domain to run. It runs already under the same uuid and epoch: success, unchanged.
  /// Under another: `conflict`, naming that epoch. A spec at fault: `invalid_argument` and its
  /// field.
  virtual core::Result<void> create(const DomainSpec& spec) = 0;

  /// Ends the domain at once. One that is not there is success.
  virtual core::Result<void> destroy(const std::string& name) = 0;

  /// Asks the guest to power itself off (its agent, else ACPI) and returns; an event tells when it
  /// did. One that is not there is success.
  virtual core::Result<void> shut_down(const std::string& name) = 0;

  /// Asks the guest to reboot (its agent, else ACPI), or presses reset. Absent: `not_found`.
  virtual core::Result<void> reboot(const std::string& name) = 0;
  virtual core::Result<void> reset(const std::string& name) = 0;

  /// All domains there are; one that ended is not among them.
  virtual core::Result<std::vector<DomainSeen>> list() = 0;

  /// Runs a command through the guest's agent. No agent yet: `unavailable`. Nothing is known of a
  /// command that outlasts the deadline.
  virtual core::Result<GuestOutput> run_in_guest(const std::string& name,
                                                 const GuestCommand& command) = 0;

  /// Where the consoles of a running domain are. Absent: `not_found`; simulated: `wrong_state`.
  virtual core::Result<ConsolePaths> console(const std::string& name) = 0;

  /// Success while the hypervisor answers; fails within 2 s where it hangs.
  virtual core::Result<void> ping() = 0;

  virtual core::Result<HostCapacity> capacity() = 0;

  /// Called at each change of a domain's state, on a thread of the driver's: post it to the loop,
  /// never call back from it. A domain that ended is told as `shutoff` or `crashed`. Once this
  /// returns, the handler before is not running and runs no more; an empty one hears nothing.
  virtual void on_event(std::function<void(const DomainSeen&)> handler) = 0;

  /// Called when the hypervisor is lost (with why) and when it is back: changes between the two
  /// were told by no event, so list() then. The same rules as for on_event.
  virtual void on_link(std::function<void(const core::Result<void>&)> handler) = 0;
};

}  // namespace nucleus::provisioner

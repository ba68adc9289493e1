// The hypervisor as the provisioner uses it: domains are created, destroyed, observed and reached.
// No type of libvirt appears here; what libvirt calls a node is a host above this interface. Calls
// block, so they run on workers; each may be repeated, and several may run at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/runtime/process_end.hpp"
#include "messages/provisioner.hpp"
#include "services/provisioner/hpc/cpu_plan.hpp"

namespace nucleus::provisioner {

/// `none`: a simulated host.
NUCLEUS_ENUM(Accel, tcg, kvm, none)

/// How the domains of a host use it. `hpc`: each has CPUs, cores and hugepages of its own.
NUCLEUS_ENUM(Profile, standard, hpc)

using msg::DomainState;

/// The profile of a host's domains.
struct HostProfile {
  Profile kind = Profile::standard;
  CpuSet host_cpus = {};  // hpc: kept for the host; empty = see housekeeping_cpus()
};

/// What differs between drivers besides their calls.
struct DriverTraits {
  std::string name = {};            // as provisioner.driver and heartbeats have it
  bool has_guests = true;           // else a domain is a name and a size: no disks, ports, consoles
  bool is_shared_by_hosts = false;  // many hosts are in one hypervisor: names include the host
  bool outlives_process = true;     // domains run on when the provisioner exits, so leases are kept
};

inline const DriverTraits libvirt_driver{.name = "libvirt"};
inline const DriverTraits simulated_driver{.name = "simulated",
                                           .has_guests = false,
                                           .is_shared_by_hosts = true,
                                           .outlives_process = false};

/// The unprivileged user that QEMU runs as. Uid 0: as the hypervisor is configured.
struct QemuUser {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// What a host needs before its first domain.
struct HostSetup {
  std::string state_directory = {};
  Accel accelerator = Accel::unknown;  // unknown = find one that works
  std::string probe_kernel = {};       // of the guest that probes it
  QemuUser user = {};
};

struct FoundAccelerator {
  Accel accelerator = Accel::tcg;
  std::string reason = {};  // for a person
};

/// A network card: an access port on `bridge` (Open vSwitch) in `vlan`.
struct PortSpec {
  std::string mac = {};          // 52:54:00:xx:xx:xx
  std::string bridge = {};       // 1..15 characters
  std::uint16_t vlan = 0;        // 1..4094; 0 = untagged
  std::string device = {};       // of the tap, 1..15 characters, unique on the machine
  std::string guarded_ip = {};   // the only IPv4 address it may send from; empty = any (private)
  std::string name_server = {};  // Nucleus answers DHCP and DNS there, and it must not; empty = it
                                 // may serve its cluster
  bool has_offload = false;  // checksum and segmentation offload: breaks TCP on a userspace switch
  bool operator==(const PortSpec&) const = default;
};

/// What a disk does not have yet is read from an NBD server, and kept.
struct DiskBase {
  std::string socket = {};  // of the server: absolute; empty = the disk has no such base
  std::string format = {};  // qcow2 or raw, never guessed
};

struct DiskSpec {
  std::string path = {};    // absolute
  std::string format = {};  // qcow2 or raw, never guessed
  // Only of a qcow2 disk: qcow2 files that are only read, absolute, oldest first. What the disk
  // does not have is read from the newest, and so on; what no layer has, from the base.
  std::vector<std::string> layers = {};
  DiskBase base = {};  // only of a qcow2 disk
  bool is_read_only = false;
  bool is_cdrom = false;  // booted before the disks
};

/// UEFI instead of BIOS.
struct FirmwareSpec {
  std::string code = {};       // absolute; empty = BIOS
  std::string variables = {};  // absolute; the domain's own, which it writes
  std::string initial = {};    // what they are at first
};

struct DomainSpec {
  std::string name = {};        // as msg::is_name accepts it, unique on the host
  std::string uuid = {};        // lower case; domain_uuid() of the node's id
  std::uint64_t epoch = 0;      // of the grant; kept in the domain's metadata
  std::string title = {};       // for a person who lists domains; may be empty
  std::uint32_t cpus = 1;       // 1..1024
  std::uint64_t memory_mb = 0;  // MiB, 16..16 Mi
  Accel accel = Accel::tcg;
  std::string kernel = {};  // direct boot; empty = boot from the disks, then the network
  std::string initramfs = {};
  std::string cmdline = {};
  bool boots_from_network = false;  // before its CD-ROMs and disks; not with a kernel
  FirmwareSpec firmware = {};
  std::vector<DiskSpec> disks = {};               // at most 24: vda, vdb …; CD-ROMs: sda, sdb …
  std::vector<PortSpec> ports = {};               // at most 16
  std::vector<msg::LeasedAdapter> adapters = {};  // at most 64: PCI functions that are passed to it
  std::string runtime_dir = {};  // exists; holds NAME.serial, NAME.vnc and NAME.log
  QemuUser user = {};
  std::string resumed_from = {};         // set by restore(): the file of its memory
  std::optional<CpuPlan> cpu_plan = {};  // profile hpc: made by the driver at the start if not set
};

/// The reason of a domain that is paused because its disk failed.
inline constexpr std::string_view disk_error = "disk error";

/// A domain as the hypervisor reports it. If it ended, `state` says how and `reason` why.
struct DomainSeen {
  std::string name = {};
  std::string uuid = {};
  DomainState state = DomainState::unknown;
  std::string reason = {};  // why it stopped, paused or crashed; else empty
  std::uint64_t epoch = 0;  // 0 = not a domain of ours
};

/// What the host counts of a running domain, since its start.
struct DomainUsage {
  std::string uuid = {};
  std::uint32_t cpus = 0;            // virtual ones
  std::uint64_t cpu_ns = 0;          // processor time of the host, QEMU's own included
  std::uint64_t read_bytes = 0;      // from all its disks
  std::uint64_t written_bytes = 0;   // to them
  std::uint64_t received_bytes = 0;  // by all its ports
  std::uint64_t sent_bytes = 0;      // by them
};

/// Unix sockets on the host, and the log of the serial console's output.
struct ConsolePaths {
  std::string serial_socket = {};
  std::string vnc_socket = {};
  std::string serial_log = {};
};

/// What domains can have of the host under its profile.
struct HostCapacity {
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;
  std::string hypervisor = {};     // "QEMU 7.2.22"
  std::string profile_fault = {};  // why it has no room at all for its profile; else empty
  friend bool operator==(const HostCapacity&, const HostCapacity&) = default;
};

struct GuestCommand {
  std::vector<std::string> argv = {};  // argv[0] is a path in the guest; no shell
  std::string input = {};              // its stdin
  std::chrono::milliseconds deadline{30'000};
};

/// Untrusted: the guest decides what is in it.
struct GuestOutput {
  core::ProcessEnd end = core::exited(0);
  std::string output = {};  // at most guest_output_bytes_max
  std::string errors = {};  // at most guest_output_bytes_max
};

/// Files of a running domain's disk, by their paths; see Hypervisor::merge_overlays().
struct OverlayMerge {
  std::string top = {};
  std::string base = {};
  std::chrono::milliseconds deadline{600'000};
};

inline constexpr std::size_t guest_output_bytes_max = 1 << 20;
inline constexpr std::chrono::milliseconds prepare_timeout{20'000};

class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  /// Makes directories and finds an accelerator that works: once, at the start, and within
  /// prepare_timeout. Only for drivers with guests.
  virtual FoundAccelerator prepare(const HostSetup& setup) = 0;

  /// Starts the domain. Succeeds without a change if it runs already under the same uuid and epoch.
  /// `conflict`: it runs under another one, which is named. `invalid_argument`: the spec, with its
  /// field. `no_capacity`: the host cannot give its profile, with what lacks. `wrong_state`: the
  /// host does not have one of its adapters. `unavailable`: it may have it later.
  virtual core::Result<void> create(const DomainSpec& spec) = 0;

  /// Writes the memory of the running domain to a file of that path and stops the domain; returns
  /// the file's size. Wherever this is cut off, the domain runs on or is saved. Succeeds if it was
  /// saved before and does not run. `not_found`: neither the domain nor its
  /// saved memory exists.
  virtual core::Result<std::uint64_t> save_memory(const std::string& name,
                                                  const std::string& path) = 0;

  /// As create(), but the domain goes on from the memory that was saved there. From this call on,
  /// that is the epoch's alone, and used once: later calls fail, unless the domain runs.
  /// `not_found`: there is no memory, or it was used. `unavailable`: as of create(), or the host
  /// lacks something; repeat it. Any other failure: the memory cannot be used, and is deleted.
  virtual core::Result<void> restore(const DomainSpec& spec, const std::string& path) = 0;

  /// Whether the domain that runs, or ran, under this epoch was started by restore().
  virtual core::Result<bool> is_restored(const std::string& path, std::uint64_t epoch) = 0;

  /// Sets the clock of a guest that was restored, through its agent. `unavailable`: none answers.
  virtual core::Result<void> set_clock(const std::string& name) = 0;

  /// Deletes the memory that was saved in this directory, whoever uses it, but for that of `kept`:
  /// file names.
  virtual core::Result<void> remove_memories(const std::string& directory,
                                             const std::set<std::string>& kept) = 0;

  /// Stops the domain at once. Succeeds if there is none.
  virtual core::Result<void> destroy(const std::string& name) = 0;

  /// Takes their partitions from adapters, if no domain has them any more. Succeeds if there is
  /// nothing to take.
  virtual core::Result<void> release(const std::vector<msg::LeasedAdapter>& adapters) = 0;

  /// Asks the guest (its agent, else ACPI) to power off, and returns; an event reports the end.
  /// Succeeds if there is no such domain.
  virtual core::Result<void> shut_down(const std::string& name) = 0;

  /// Asks the guest (its agent, else ACPI) to reboot. `not_found`: there is no such domain.
  virtual core::Result<void> reboot(const std::string& name) = 0;
  /// As the reset button. `not_found`: there is no such domain.
  virtual core::Result<void> reset(const std::string& name) = 0;

  /// Resumes a paused domain. `not_found`: there is no such domain.
  virtual core::Result<void> resume(const std::string& name) = 0;

  /// All domains that have not ended.
  virtual core::Result<std::vector<DomainSeen>> list() = 0;

  /// The counters of running domains, by one call for all. One that is busy with another call may
  /// be missing. Only for drivers with guests.
  virtual core::Result<std::vector<DomainUsage>> usage() = 0;

  /// Runs a command through the guest's agent. `unavailable`: no agent answers. Whether a command
  /// that outlasts its deadline ends is unknown.
  virtual core::Result<GuestOutput> run_in_guest(const std::string& name,
                                                 const GuestCommand& command) = 0;

  /// The consoles of a running domain. `not_found`: there is none; `wrong_state`: simulated.
  virtual core::Result<ConsolePaths> console(const std::string& name) = 0;

  /// The files of the domain's first disk (vda): the one that it writes, then what that one lies
  /// on, down to the oldest. `not_found`: there is no such domain; `wrong_state`: it has no such
  /// disk.
  virtual core::Result<std::vector<std::string>> disk_files(const std::string& name) = 0;

  /// From now on the domain writes its first disk to `overlay`, a qcow2 file of the same size that
  /// has nothing yet. The file that it wrote before is only read, and has all that the guest has
  /// flushed; if the guest's agent answers, its file systems are frozen meanwhile. Fails as
  /// disk_files() does.
  virtual core::Result<void> add_overlay(const std::string& name, const std::string& overlay) = 0;

  /// Copies what the files from `top` down to above `base` have into `base`, which the domain then
  /// reads in their place; `top` is not the one that it writes. Returns once that is done, within
  /// `deadline`. Fails as disk_files() does.
  virtual core::Result<void> merge_overlays(const std::string& name, const OverlayMerge& merge) = 0;

  /// Succeeds while the hypervisor answers; fails within 5 s if it hangs.
  virtual core::Result<void> ping() = 0;

  virtual core::Result<HostCapacity> capacity() = 0;

  /// Called at each change of a domain's state, on a thread of the driver: it must only post to the
  /// loop. A domain that ended is `shutoff` or `crashed`. Once this returns, the previous handler
  /// is not running and is not called again; an empty one is never called.
  virtual void on_event(std::function<void(const DomainSeen&)> handler) = 0;

  /// Called when the hypervisor is lost, with the reason, and when it is back. Changes in between
  /// cause no event: list() then. The same rules as for on_event.
  virtual void on_link(std::function<void(const core::Result<void>&)> handler) = 0;
};

}  // namespace nucleus::provisioner

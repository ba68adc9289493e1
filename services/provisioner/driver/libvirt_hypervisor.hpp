// The hypervisor as libvirt: QEMU (system daemon or embedded driver), or libvirt's mock driver
// (test:///) for simulated hosts. Domains are transient: one that has ended leaves nothing behind.
#pragma once

#include <deque>
#include <mutex>
#include <set>
#include <unordered_map>

#include "services/provisioner/driver/cpu_plans.hpp"
#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/given_adapters.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/libvirt_link.hpp"

namespace nucleus::provisioner {

class LibvirtHypervisor final : public Hypervisor {
 public:
  /// `qemu+unix:///system?socket=…`, `qemu:///embed?root=…`, or `test:///FILE`, which gives every
  /// hypervisor a host of its own. Connects in the background; until then calls are `unavailable`.
  explicit LibvirtHypervisor(const std::string& uri, const HostProfile& profile = {},
                             HostAdapters adapters = {});

  FoundAccelerator prepare(const HostSetup& setup) override;
  core::Result<void> create(const DomainSpec& spec) override;
  core::Result<std::uint64_t> save_memory(const std::string& name,
                                          const std::string& path) override;
  core::Result<void> restore(const DomainSpec& spec, const std::string& path) override;
  core::Result<bool> is_restored(const std::string& path, std::uint64_t epoch) override;
  core::Result<void> set_clock(const std::string& name) override;
  core::Result<void> remove_memories(const std::string& directory,
                                     const std::set<std::string>& kept) override;
  core::Result<void> destroy(const std::string& name) override;
  core::Result<void> release(const std::vector<msg::LeasedAdapter>& adapters) override;
  core::Result<void> shut_down(const std::string& name) override;
  core::Result<void> reboot(const std::string& name) override;
  core::Result<void> reset(const std::string& name) override;
  core::Result<void> resume(const std::string& name) override;
  core::Result<std::vector<DomainSeen>> list() override;
  core::Result<std::vector<DomainUsage>> usage() override;
  core::Result<GuestOutput> run_in_guest(const std::string& name,
                                         const GuestCommand& command) override;
  core::Result<ConsolePaths> console(const std::string& name) override;
  core::Result<std::vector<std::string>> disk_files(const std::string& name) override;
  core::Result<void> add_overlay(const std::string& name, const std::string& overlay) override;
  core::Result<void> merge_overlays(const std::string& name, const OverlayMerge& merge) override;
  core::Result<void> ping() override;
  core::Result<HostCapacity> capacity() override;
  void on_event(std::function<void(const DomainSeen&)> handler) override;
  void on_link(std::function<void(const core::Result<void>&)> handler) override;

 private:
  /// Its disks are real files: not of a simulated domain.
  core::Result<LibvirtDomain> find_with_disks(const std::string& name);
  void reset_epochs(const std::vector<DomainSeen>& running);
  void handle_change(DomainSeen seen);
  void handle_link(const core::Result<void>& link);
  void forget_start(const DomainSpec& spec);
  core::Result<void> remove_ports_of_failed(const DomainSpec& spec);
  core::Result<void> create_with(virConnect* connection, const DomainSpec& spec);
  LibvirtDomain begin(virConnect* connection, const DomainSpec& spec, const std::string& xml);
  core::Result<void> create_on_host(virConnect* connection, const DomainSpec& spec);
  core::Result<void> create_with_adapters(virConnect* connection, const DomainSpec& spec);
  core::Result<void> create_planned(virConnect* connection, DomainSpec spec);
  core::Result<void> create_as(virConnect* connection, const DomainSpec& spec);
  core::Result<void> start(virConnect* connection, const DomainSpec& spec, const std::string& xml);

  const XmlDialect dialect_;
  const Profile profile_;
  CpuPlans cpu_plans_;  // profile hpc
  GivenAdapters adapters_;
  std::mutex handlers_mutex_;  // held while one runs
  std::function<void(const DomainSeen&)> on_event_;
  std::function<void(const core::Result<void>&)> on_link_;
  std::mutex mutex_;
  // Events carry no epoch. The starts of one uuid happen in the order of their calls, so each
  // `started` event takes the oldest epoch in `starting_` and has it until the domain ends.
  std::unordered_map<std::string, std::deque<std::uint64_t>> starting_;
  std::set<std::string> failed_;  // uuids of those whose last start failed
  std::unordered_map<std::string, std::uint64_t> running_;
  LibvirtLink link_;  // last: its threads use all of the above
};

}  // namespace nucleus::provisioner

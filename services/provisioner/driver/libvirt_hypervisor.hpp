// The hypervisor as libvirt: QEMU (system daemon or embedded driver), or libvirt's own mock driver
// (test:///) for simulated hosts. Domains are transient: one that ended leaves nothing behind.
#pragma once

#include <deque>
#include <mutex>
#include <unordered_map>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/libvirt_link.hpp"

namespace nucleus::provisioner {

class LibvirtHypervisor final : public Hypervisor {
 public:
  /// `qemu+unix:///system?socket=…`, `qemu:///embed?root=…`, or `test:///FILE`, which gives every
  /// hypervisor a host of its own. Opens by itself; until then calls are `unavailable`.
  explicit LibvirtHypervisor(const std::string& uri);

  core::Result<void> create(const DomainSpec& spec) override;
  core::Result<void> destroy(const std::string& name) override;
  core::Result<void> shut_down(const std::string& name) override;
  core::Result<void> reboot(const std::string& name) override;
  core::Result<void> reset(const std::string& name) override;
  core::Result<std::vector<DomainSeen>> list() override;
  core::Result<GuestOutput> run_in_guest(const std::string& name,
                                         const GuestCommand& command) override;
  core::Result<ConsolePaths> console(const std::string& name) override;
  core::Result<void> ping() override;
  core::Result<HostCapacity> capacity() override;
  void on_event(std::function<void(const DomainSeen&)> handler) override;
  void on_link(std::function<void(const core::Result<void>&)> handler) override;

 private:
  void remember(virConnect* connection);
  void tell(DomainSeen seen);
  void tell_link(const core::Result<void>& result);
  void forget_start(const DomainSpec& spec);
  core::Result<void> start(virConnect* connection, const DomainSpec& spec, const std::string& xml);

  const XmlDialect dialect_;
  std::mutex handlers_mutex_;  // held while one runs
  std::function<void(const DomainSeen&)> on_event_;
  std::function<void(const core::Result<void>&)> on_link_;
  std::mutex mutex_;
  // An event bears no epoch. Starts of a uuid happen in the order they were asked for, so each
  // `started` takes the oldest epoch that was asked, and keeps it until the domain has stopped.
  std::unordered_map<std::string, std::deque<std::uint64_t>> starting_;
  std::unordered_map<std::string, std::uint64_t> running_;
  LibvirtLink link_;  // last: its threads call into all of the above
};

/// Writes the description of a simulated host into `path` and gives the URI that opens it.
core::Result<std::string> write_simulated_host(const std::string& path, const HostCapacity& size);

}  // namespace nucleus::provisioner

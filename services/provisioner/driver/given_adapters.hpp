// Gives adapters to domains that start, and takes them back: one domain at a time, and never while
// another one runs with them. Only the starts under way are kept in memory; libvirt knows the rest.
#pragma once

#include <libvirt/libvirt.h>

#include <map>
#include <mutex>
#include <string>

#include "services/provisioner/driver/adapter_partitions.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

class GivenAdapters {
 public:
  explicit GivenAdapters(HostAdapters host) : host_{std::move(host)} {}

  /// Compares the adapters of the spec with the host's, and gives them their partitions. Until
  /// end_start(), no other start gets them. `unavailable`: another domain has one of them, or its
  /// port is not in the partition yet; `wrong_state`: the host does not have it.
  core::Result<void> begin_start(virConnect* connection, const DomainSpec& spec);
  /// Call once for each begin_start() that succeeded, when libvirt has the domain or refused it.
  void end_start(const DomainSpec& spec);

  /// Takes all partitions from those that no domain has. Succeeds if there is nothing to take.
  core::Result<void> clear(virConnect* connection, const std::vector<msg::LeasedAdapter>& adapters);

 private:
  struct Start {
    std::string uuid;
    int count = 0;
  };
  using Owners = std::map<std::string, std::string>;  // uuids of domains by PCI address
  core::Result<Owners> owners(virConnect* connection) const;

  const HostAdapters host_;
  std::mutex mutex_;                     // held while sysfs is written
  std::map<std::string, Start> starts_;  // by PCI address
};

}  // namespace nucleus::provisioner

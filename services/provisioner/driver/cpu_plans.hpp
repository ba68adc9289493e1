// Plans the CPUs and hugepages of domains that start under the profile hpc, from what libvirt says
// of its host and its running domains. Only the starts under way are kept in memory, so a new
// process knows as much as the one before it.
#pragma once

#include <libvirt/libvirt.h>

#include <map>
#include <mutex>
#include <string>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// The host, with its free pages as the kernel counts them now.
core::Result<HostTopology> read_topology(virConnect* connection);

class CpuPlans {
 public:
  explicit CpuPlans(CpuSet host_cpus) : host_cpus_{std::move(host_cpus)} {}

  /// The domain's plan; no other start gets these CPUs and pages before end_start(). For a domain
  /// whose start is under way, the same plan. `no_capacity`: the host cannot give it.
  core::Result<CpuPlan> begin_start(virConnect* connection, const DomainSpec& spec);
  /// Call once for each begin_start() that succeeded, when libvirt has the domain or refused it.
  void end_start(const std::string& uuid);

  HpcCapacity capacity(virConnect* connection) const;

 private:
  struct Start {
    CpuPlan plan;
    int count = 0;
  };
  core::Result<HostUse> use_by_others(virConnect* connection) const;

  const CpuSet host_cpus_;
  std::mutex mutex_;
  std::map<std::string, Start> starts_;  // by uuid
};

}  // namespace nucleus::provisioner

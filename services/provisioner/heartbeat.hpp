// The heartbeat: reports each host to the scheduler, whose answer renews the host's lease. Runs on
// the service's loop.
#pragma once

#include <set>

#include "core/bus/bus.hpp"
#include "services/provisioner/adapter_watch.hpp"
#include "services/provisioner/driver/local_volumes.hpp"
#include "services/provisioner/grants.hpp"
#include "services/provisioner/hypervisor_watch.hpp"
#include "services/provisioner/isolation.hpp"
#include "services/provisioner/lease.hpp"
#include "services/provisioner/reporter.hpp"
#include "services/provisioner/usage_watch.hpp"

namespace nucleus::provisioner {

class Heartbeat {
 public:
  /// What is reported; all outlive the heartbeat.
  struct Sources {
    const Config& config;
    const Grants& grants;
    const HypervisorWatch& watch;
    Leases& leases;
    Reporter& reporter;
    const Isolation& isolation;
    const AdapterWatch& adapters;
    const UsageWatch* usage = nullptr;           // null = nothing is known of its domains' usage
    std::shared_ptr<LocalVolumes> volumes = {};  // null = no images are copied
  };

  Heartbeat(core::Loop& loop, core::Bus& bus, Sources sources);

  /// Reports every host, one call at a time for each.
  void beat();

 private:
  void report(const msg::HostId& host_id);
  msg::ReportHost report_of(const msg::HostId& host_id) const;
  void note_refusal(const core::Error& error);

  core::Loop& loop_;
  core::Bus& bus_;
  Sources sources_;
  const std::string process_;  // our name on the bus
  std::set<msg::HostId> calls_under_way_ = {};
  std::string refusal_ = {};  // of the last heartbeat
};

}  // namespace nucleus::provisioner

// Brings the domains of this process's hosts to their grants: compares, takes one step at each
// domain on a worker, records what follows, and compares again. Runs on the service's loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/provisioner/domains.hpp"
#include "services/provisioner/hypervisor_watch.hpp"
#include "services/provisioner/lease.hpp"
#include "services/provisioner/reporter.hpp"
#include "services/provisioner/step_job.hpp"

namespace nucleus::provisioner {

class Reconciler {
 public:
  /// A guest can delay calls to its agent, so they hold no worker that a stop needs.
  struct Workers {
    core::Workers& steps;   // lists, creates
    core::Workers& stops;   // destroys
    core::Workers& guests;  // shutdowns and reboots, which ask the guest's agent; releases
    core::Workers& saves;   // write and read the memory of domains
  };
  /// The parts it works on; all outlive it.
  struct Parts {
    core::Loop& loop;
    core::Bus& bus;
    core::Store& store;
    const Config& config;
    Metrics& metrics;
    std::shared_ptr<Hypervisor> hypervisor;
    Grants& grants;
    Domains& domains;
    Leases& leases;
    const HypervisorWatch& watch;
    Reporter& reporter;
    std::shared_ptr<LocalVolumes> volumes;      // null = the image store's files are used in place
    std::shared_ptr<AddressServers> addresses;  // null = a host without a switch
    std::function<void()> on_created;           // a domain has new ports
  };

  Reconciler(Parts parts, Workers workers) : parts_{std::move(parts)}, workers_{workers} {}

  /// Lists the hypervisor's domains, unless that is under way.
  void list_domains();
  /// A driver's event.
  void observe(const DomainSeen& seen);
  void reconcile_all();
  void reconcile(const Grants::Id& id);
  /// Serves the bases of the disks that domains need, and lets those run on that stopped without.
  void serve_volumes();
  /// Asks the agents of guests of which is recorded what they read until they are ready.
  void look_for_ready_guests();
  /// Answers DHCP and DNS to the clusters here for which Nucleus does, and no others.
  void serve_addresses();
  /// Destroys the domains of ours that have no grant, once all hosts have a complete list.
  void destroy_ungranted();
  /// Stops every domain of a host whose lease is over. Needs no records.
  void fence(const msg::HostId& host_id);

 private:
  void take_list(std::vector<DomainSeen> domains, std::uint64_t begun);
  DomainView view_of(const StoredGrant& stored);
  /// A step under way; the grant may have changed when it ends.
  struct Begun {
    Grants::Id id;
    std::string uuid;
    std::uint64_t epoch;
    std::string hibernation_id;
    Step step;
    std::int64_t begun_ms;
  };
  void begin_step(const StoredGrant& stored, Step step);
  void end_create(const Grants::Id& id);
  void end_step(const Begun& begun, const core::Result<StepResult>& result);
  void take_success(const Begun& begun, const StoredGrant& stored, const StepResult& result);
  void take_hibernation(StoredGrant stored, const StepResult& result);
  void take_failure(const Begun& begun, const StoredGrant& stored, const core::Error& error);
  void take_failed_save(const Begun& begun, const StoredGrant& stored, const core::Error& error,
                        bool is_present);
  void fail_hibernation(StoredGrant stored, const std::string& reason);
  void record_running(const StoredGrant& stored);
  void record_end(const StoredGrant& stored);
  void record_reboot(StoredGrant stored, Step step);
  void write(StoredGrant stored);
  void forget(const StoredGrant& stored);
  /// Destroys a domain whatever its grant says, once at a time.
  void stop(const DomainSeen& seen, bool is_fence);
  core::Workers& workers_for(Step step) const;
  bool needs_host(const StoredGrant& stored) const;
  std::vector<msg::Grant> served_with(const msg::Grant& grant) const;
  core::Milliseconds timeout_of(const StoredGrant& stored, Step step) const;

  Parts parts_;
  Workers workers_;
  bool is_listing_ = false;
  bool is_serving_ = false;
  bool is_looking_for_ready_ = false;
  bool is_serving_addresses_ = false;
};

}  // namespace nucleus::provisioner

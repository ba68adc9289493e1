// The provisioner brings the domains of its host to the grants that the scheduler gave it, and
// tells what became of them. It alone writes those grants here and touches that host's domains. One
// process may stand for many simulated hosts. Everything here runs on the service's one loop; the
// hypervisor is asked on workers.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "core/runtime/runtime.hpp"
#include "messages/scheduler.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/driver/lease_file.hpp"
#include "services/provisioner/metrics.hpp"
#include "services/provisioner/reconcile.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

class Service {
 public:
  /// `hypervisor` and `leases` outlive the process's workers. `watchers` ask whether it answers: on
  /// threads of their own, that is known while all workers create domains; none = the workers do it
  /// as well. Without `leases`, each process waits for its first answer before a lease counts.
  Service(core::Runtime& runtime, Config config, std::shared_ptr<Hypervisor> hypervisor,
          std::shared_ptr<core::Workers> watchers = {}, std::shared_ptr<LeaseMemory> leases = {});
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

 private:
  /// What is known of a host in memory alone.
  struct Live {
    std::string boot_id = {};  // another one asks the scheduler for the complete list
    KeptLease lease = {};      // as it is kept
    bool is_complete = false;  // the complete list came: what is not in it may be ended
    bool is_fenced = false;    // the lease is over; until it was renewed and the list came
    bool is_reporting = false;
  };
  /// Work at one domain, in memory alone.
  struct Work {
    bool is_busy = false;
    bool is_asked = false;           // to shut down
    std::int64_t retry_ms = 0;       // the last delay; 0 = none failed
    std::int64_t not_before_ms = 0;  // steady
  };

  // service.cpp
  core::Result<msg::Done> apply_grants(const msg::ApplyGrants& request, core::Context& context);
  void take_grant(core::Transaction& tx, const msg::HostId& host_id, const msg::Grant& grant);
  void open_console(const msg::OpenConsole& request, core::Context& context,
                    core::Responder<msg::ConsoleEndpoint> respond);
  void probe_node(const msg::ProbeNode& request, core::Context& context,
                  core::Responder<msg::ProbeResult> respond);
  void probe_host(const msg::ProbeHost& request, core::Context& context,
                  core::Responder<msg::ProbeResult> respond);
  const StoredGrant* find_running(const msg::NodeId& node_id) const;
  void rebuild();

  // heartbeat.cpp
  void beat(core::Context& context);
  void report(const msg::HostId& host_id);
  void take_lease(const msg::HostId& host_id, std::int64_t sent_ms, const msg::HostLease& lease);
  void end_fence(const msg::HostId& host_id);
  void watch_leases();
  void look_at_leases();
  void stop_domains_of(const msg::HostId& host_id);
  void watch_hypervisor();
  void take_link(const core::Result<void>& link);
  void ping();
  void set_reachable(bool is_reachable, const std::string& reason);

  // domains.cpp
  void list_domains();
  void take_list(std::vector<DomainSeen> domains);
  void see(const DomainSeen& seen);
  void look_at_all(core::Context& context);
  void look_at(const msg::HostId& host_id, const msg::NodeId& node_id);
  void run_step(const StoredGrant& stored, Step step);
  void end_step(const msg::HostId& host_id, const msg::NodeId& node_id, Step step,
                core::Result<void> result);
  void record_running(const StoredGrant& stored);
  void record_done(const StoredGrant& stored, Step step);
  void record_end(const StoredGrant& stored);
  void tell(StoredGrant stored, msg::DomainState state, const std::string& reason,
            std::int64_t seen_unix_ms = 0);
  void end_orphans();
  core::Result<void> create(const StoredGrant& stored) const;
  void show_counts();

  core::Loop& loop_;
  core::Workers& workers_;
  std::shared_ptr<core::Workers> watchers_;
  core::Bus& bus_;
  core::Store& store_;
  const Config config_;
  const std::string process_;  // our name on the bus
  Metrics metrics_;
  std::shared_ptr<Hypervisor> hypervisor_;
  std::shared_ptr<LeaseMemory> leases_;  // may be null
  HostCapacity capacity_ = {};
  bool is_reachable_ = false;
  std::int64_t watched_unix_ms_ = 0;  // all domains were seen then, by this process or one before
  std::string fault_ = "the hypervisor was not asked yet";
  bool is_listed_ = false;  // `seen_` is what there is
  bool is_listing_ = false;
  std::shared_ptr<bool> is_pinging_ = std::make_shared<bool>(false);
  std::map<msg::HostId, Live> live_ = {};
  std::map<std::string, DomainSeen> seen_ = {};   // by domain name
  std::set<std::string> fencing_ = {};            // being stopped for their host's lease, by name
  std::map<std::string, std::string> ends_ = {};  // why a domain ended, by name
  std::map<std::string, std::pair<msg::HostId, msg::NodeId>> named_ = {};  // grants by domain name
  std::map<std::pair<msg::HostId, msg::NodeId>, Work> work_ = {};
  // What the driver's threads tell goes through here, so that none of it outlives this room.
  std::shared_ptr<Service*> self_ = std::make_shared<Service*>(this);
};

}  // namespace nucleus::provisioner

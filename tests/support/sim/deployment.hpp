// A whole simulated deployment: all services, hosts with their hypervisors, an admin who sends
// requests, and the invariants that are checked after every step.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "services/provisioner/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/sim/hypervisor.hpp"
#include "tests/support/sim/invariants.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {

/// The size of a deployment; pools are small, so that they run out.
struct SimShape {
  std::size_t host_count = 3;
  bool is_one_provisioner = false;  // one process for all hosts, as in `nucleus up --simulated`
  std::uint32_t host_cpus = 4;
  std::uint64_t host_memory_mb = 4096;
  std::int64_t cpu_overcommit = 1;
  std::int64_t host_lease_ms = 20'000;
  std::int64_t shutdown_ms = 10'000;
  std::uint32_t vlan_count = 6;
  std::int64_t vlan_quarantine_s = 20;
  std::int64_t clock_skew_ms = 0;  // of the first host's clock; each next one has the opposite
};

/// The files of hosts, which outlive processes.
class SimLeases final : public provisioner::LeaseStore {
 public:
  void keep_lease(const msg::HostId& host_id, const provisioner::KeptLease& lease) override {
    kept_[host_id] = lease;
  }
  provisioner::KeptLease lease(const msg::HostId& host_id) override { return kept_[host_id]; }
  void keep_last_seen(std::int64_t unix_ms) override { last_seen_unix_ms_ = unix_ms; }
  std::int64_t last_seen_unix_ms() override { return last_seen_unix_ms_; }
  void keep_machine_id(const std::string& id) override { machine_id_ = id; }
  std::string machine_id() override { return machine_id_; }

 private:
  std::map<msg::HostId, provisioner::KeptLease> kept_ = {};
  std::int64_t last_seen_unix_ms_ = 0;
  std::string machine_id_ = {};
};

class SimDeployment {
 public:
  SimDeployment(std::uint64_t seed, SimShape shape = {});
  SimDeployment(const SimDeployment&) = delete;
  SimDeployment& operator=(const SimDeployment&) = delete;

  /// Process names in starting order.
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& host_processes() const { return host_processes_; }
  /// Kills the process if it runs, and starts it.
  void start(const std::string& name);
  void kill(const std::string& name) { processes_[name].reset(); }
  bool is_running(const std::string& name) const;
  SimProcess* process(const std::string& name) const;
  /// Stops the process of this name (SIGSTOP) and starts another one: a split brain.
  void take_over(const std::string& name);
  /// Resumes stopped processes; those that were fenced end.
  void resume_all();
  /// Cuts the host's power: its process and domains disappear without an event.
  void cut_power(std::size_t host);
  std::string process_of(std::size_t host) const;
  SimHypervisor& hypervisor(std::size_t host);
  std::size_t host_count() const { return shape_.host_count; }
  const SimShape& shape() const { return shape_; }
  /// Ends fenced processes, and restarts supervised ones. Asserts the invariants of every service
  /// that has a check(). Called after each step.
  void end_fenced();
  /// Checks the scheduler's view if it changed; called after each step.
  void check_views();

  SimWorld world;
  Invariants invariants;

 private:
  core::Result<std::shared_ptr<void>> build(const std::string& name, core::Runtime& runtime);
  std::map<std::string, std::string> settings_of(const std::string& name) const;
  std::unique_ptr<SimProcess> make(const std::string& name);
  std::int64_t clock_skew_ms(const std::string& name) const;

  const SimShape shape_;
  std::vector<std::string> names_ = {};
  std::vector<std::string> host_processes_ = {};
  std::vector<std::shared_ptr<SimHypervisor>> hypervisors_ = {};
  std::map<std::string, std::shared_ptr<SimLeases>> leases_ = {};  // by process
  std::vector<std::weak_ptr<provisioner::Service>> provisioners_ = {};
  std::shared_ptr<image_store::SimulatedStore> volumes_ =
      std::make_shared<image_store::SimulatedStore>();
  std::map<std::string, std::unique_ptr<SimProcess>> processes_ = {};
  std::vector<std::unique_ptr<SimProcess>> stopped_ = {};
  std::map<std::weak_ptr<scheduler::Service>, std::uint64_t, std::owner_less<>> views_ =
      {};  // the generation that was checked last

 public:
  SimProcess admin;
};

}  // namespace nucleus::tests

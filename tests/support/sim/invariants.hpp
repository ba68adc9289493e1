// Checks the invariants of a simulated deployment after every step, and again when it has settled.
// It observes commits, messages and domains from outside the services. A violation is recorded as a
// sentence with its time.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/state/store.hpp"
#include "services/image_store/records.hpp"
#include "services/network/records.hpp"
#include "services/provisioner/records.hpp"
#include "services/registry/records.hpp"
#include "services/scheduler/records.hpp"
#include "tests/support/sim/hypervisor.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {

/// The durable records of one kind.
template <class R>
class View {
 public:
  explicit View(core::Key<R> prefix) : prefix_{std::move(prefix.name)} {}

  /// Applies the change if it is of this kind.
  bool take(const core::RecordChange& change) {
    if (!change.key.starts_with(prefix_)) return false;
    if (change.bytes)
      all_[change.key] = msg::decode<R>(*change.bytes);
    else
      all_.erase(change.key);
    return true;
  }
  const R* find(const std::string& key) const {
    const auto found = all_.find(key);
    return found == all_.end() ? nullptr : &found->second;
  }
  const std::map<std::string, R>& all() const { return all_; }

 private:
  std::string prefix_;
  std::map<std::string, R> all_ = {};
};

/// The size of the deployment.
struct InvariantLimits {
  std::int64_t cpu_overcommit = 1;
  std::int64_t vlan_quarantine_s = 0;
  std::size_t start_attempts_max = 3;
};

class Invariants {
 public:
  using Hypervisors = std::vector<SimHypervisor*>;

  Invariants(SimWorld& world, InvariantLimits limits);
  Invariants(const Invariants&) = delete;
  Invariants& operator=(const Invariants&) = delete;

  /// Observes this hypervisor's domains. Call before any process starts.
  void watch(SimHypervisor& hypervisor);
  /// Returns the differences between desired, recorded, granted and observed state, as sentences.
  /// Call when the deployment has settled without faults.
  std::vector<std::string> check_settled();
  /// Returns what is left after every cluster was removed.
  std::vector<std::string> check_empty();
  const std::vector<std::string>& broken() const { return broken_; }
  void fail(const std::string& what);
  /// Records a violation.
  void keep(const std::vector<std::string>& found);

  const View<scheduler::StoredNode>& nodes() const { return nodes_; }
  const View<scheduler::StoredComputeset>& computesets() const { return computesets_; }
  /// Running domains by node, with their hosts.
  std::map<std::string, std::set<std::string>> running() const;

 private:
  void observe_commit(const std::string& service, const core::Commit& commit, std::uint64_t first);
  void observe_message(const std::string& process, const core::Frames& frames);
  void observe_domain(const provisioner::DomainSpec& spec);

  // After each commit.
  void check_computeset_step(const std::string& key, const scheduler::StoredComputeset* before);
  void check_node_step(const std::string& key, const scheduler::StoredNode* before);
  void check_grant_step(const std::string& key, const provisioner::StoredGrant* before);
  void check_active_computesets();
  void check_capacity();
  void check_lost_hosts();
  void check_reservations();
  void check_networks(std::int64_t now_unix_s);
  // Events against the records of the same commit.
  void check_events(const core::Commit& commit);
  void check_scheduler_event(const core::StoredEvent& event);
  void check_network_event(const core::StoredEvent& event);
  void check_emitted(const core::Commit& commit);

  // Once settled.
  void check_settled_node(const scheduler::StoredNode& node);
  void check_settled_domains();
  void check_settled_memories();
  void check_settled_computesets();
  void check_settled_grants();
  void check_same_clusters();
  void check_waiting();
  void check_charges();

  SimWorld& world_;
  const InvariantLimits limits_;
  Hypervisors hypervisors_ = {};
  std::vector<std::string> broken_ = {};

  View<registry::StoredCluster> clusters_;
  View<registry::StoredNode> defined_;
  View<network::StoredNetwork> networks_;
  View<network::StoredPorts> ports_;
  View<network::StoredVlanQuarantine> vlan_quarantines_;
  View<image_store::StoredVolume> volumes_;
  View<scheduler::StoredCluster> seen_clusters_;
  View<scheduler::StoredNode> nodes_;
  View<scheduler::StoredHost> hosts_;
  View<scheduler::StoredComputeset> computesets_;
  View<scheduler::StoredAllocation> allocations_;
  View<scheduler::StoredReservation> reservations_;
  std::map<std::string, provisioner::StoredGrant> grants_ = {};  // by key, of every host

  std::set<std::string> granted_ = {};  // "HOST NODE EPOCH" that were ever durable
  std::set<std::string> has_run_ = {};  // "NODE EPOCH" recorded as having run
  std::map<std::string, std::int64_t> quarantined_until_s_ = {};  // VLAN, as text
  std::map<msg::ComputesetId, msg::Computeset> emitted_computesets_ = {};
  std::map<std::string, msg::NodeStatus> emitted_nodes_ = {};
  std::map<std::string, msg::DomainChanged> emitted_domains_ = {};  // by host and node
  msg::ComputesetId last_computeset_ = 0;
};

}  // namespace nucleus::tests

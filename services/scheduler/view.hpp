// The scheduler's records in memory, and every index over them. `apply` alone changes them, so that
// no index can be forgotten; `check` compares each index with one made from the records.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/scheduler/changes.hpp"
#include "services/scheduler/config.hpp"
#include "services/scheduler/finished_computesets.hpp"
#include "services/scheduler/host_pool.hpp"

namespace nucleus::scheduler {

/// What a host can hold: CPUs are counted `scheduler.cpu_overcommit` times.
Resources total_of(const StoredHost& host, const Config& config);

/// What nodes that left the host still have of it: adapters whose ports have not left their
/// partitions.
Resources leaving_of(const StoredHost& host);

HostPlace place_of(const StoredHost& host);

inline std::vector<std::string> fabrics_of(const StoredNode& node) {
  std::vector<std::string> names;
  for (const auto& lease : node.fabrics) names.push_back(lease.fabric);
  return names;
}

class View {
 public:
  /// Nodes of one computeset.
  struct Occupancy {
    std::int64_t placed = 0;  // on a host
    std::int64_t on = 0;      // on a host, or desired on
    friend bool operator==(const Occupancy&, const Occupancy&) = default;
  };
  using NodesByIndex = std::map<std::uint32_t, msg::NodeId>;

  explicit View(const Config& config) : config_{config} {}

  /// The only mutator; `load` is the same for all records, after the store was loaded.
  void apply(Changes changes);
  void load(Changes records, const std::vector<ComputesetSummary>& finished = {});
  /// What differs between the indexes and the records, as sentences; empty if all is right.
  std::vector<std::string> check() const;
  /// Grows with each `apply`.
  std::uint64_t generation() const { return generation_; }

  const Config& config() const { return config_; }

  // Records; null if there is none. Valid until the next `apply`.
  const StoredCluster* cluster(const msg::ClusterId& id) const { return find(clusters_, id); }
  const StoredProject* project(const msg::ProjectId& id) const { return find(projects_, id); }
  const StoredUnacknowledged* unacknowledged(const msg::ProjectId& id) const {
    return find(unacknowledged_, id);
  }
  const StoredHost* host(const msg::HostId& id) const { return find(hosts_, id); }
  const StoredNode* node(const msg::NodeId& id) const { return find(nodes_, id); }
  /// Of unfinished ones.
  const StoredComputeset* computeset(msg::ComputesetId id) const { return find(computesets_, id); }
  const StoredAllocation* allocation(const msg::AllocationId& id) const {
    return find(allocations_, id);
  }
  const StoredReporter* reporter(const std::string& process) const {
    return find(reporters_, process);
  }
  const StoredReservation* reservation(std::int64_t id) const { return find(reservations_, id); }
  const StoredHostClass* host_class(const std::string& name) const {
    return find(host_classes_, name);
  }
  /// `default` always exists.
  bool has_host_class(const std::string& name) const {
    return host_class(name) || name == msg::host_class_default;
  }
  msg::Price price_of(const std::string& host_class) const;
  /// Those that have ended too, for a while.
  const StoredReservation* reservation_named(const std::string& name) const;
  /// The id of the newest reservation; 0 = there was none.
  std::int64_t reservation_count() const { return reservation_count_; }
  /// The id of the newest computeset; 0 = there was none.
  std::int64_t computeset_count() const { return computeset_count_; }
  const StoredWaits& waits() const { return waits_; }

  const std::map<msg::ClusterId, StoredCluster>& clusters() const { return clusters_; }
  const std::map<msg::HostId, StoredHost>& hosts() const { return hosts_; }
  /// The unfinished ones.
  const std::map<msg::ComputesetId, StoredComputeset>& computesets() const { return computesets_; }
  const std::map<msg::AllocationId, StoredAllocation>& allocations() const { return allocations_; }
  /// Of removed nodes, that hosts are to delete.
  const std::map<msg::NodeId, StoredRemovedDisk>& removed_disks() const { return removed_disks_; }
  const std::map<std::int64_t, StoredReservation>& reservations() const { return reservations_; }
  const std::map<std::string, StoredHostClass>& host_classes() const { return host_classes_; }
  const FinishedComputesets& finished() const { return finished_; }

  // Indexes.
  const std::map<msg::ClusterId, NodesByIndex>& nodes_by_cluster() const {
    return indexes_.nodes_by_cluster;
  }
  /// Without removed nodes; null if the cluster has none.
  const NodesByIndex* nodes_of(const msg::ClusterId& id) const {
    return find(indexes_.nodes_by_cluster, id);
  }
  const StoredNode* node_named(const msg::ClusterId& cluster_id, const std::string& name) const;
  const std::set<msg::NodeId>& nodes_on(const msg::HostId& id) const;
  std::size_t placed_count() const { return indexes_.placed_count; }
  /// Desired on and without a host.
  const std::set<msg::NodeId>& waiting_nodes() const { return indexes_.waiting_nodes; }
  /// Placed on hosts that cannot start them.
  const std::set<msg::NodeId>& failing_nodes() const { return indexes_.failing_nodes; }
  /// Nodes with unfinished disk work.
  const std::set<msg::NodeId>& nodes_with_disk_work() const {
    return indexes_.nodes_with_disk_work;
  }
  /// Nodes that went off and whose disk is still to be saved.
  const std::set<msg::NodeId>& nodes_with_save_due() const { return indexes_.nodes_with_save_due; }
  /// Nodes on hosts that are to be saved every few minutes.
  const std::set<msg::NodeId>& nodes_saved_periodically() const {
    return indexes_.nodes_saved_periodically;
  }
  /// Nodes whose memory the host keeps.
  const std::set<msg::NodeId>& memories_on(const msg::HostId& id) const;
  const std::set<msg::ComputesetId>& submitted() const { return indexes_.submitted; }
  /// Running, hibernating or ending.
  const std::set<msg::ComputesetId>& active() const { return indexes_.active; }
  const std::set<msg::ComputesetId>& unfinished_of(const msg::AllocationId& id) const;
  /// When the walltimes of running computesets are over, soonest first.
  const std::set<std::pair<std::int64_t, msg::ComputesetId>>& walltime_ends() const {
    return indexes_.walltime_ends;
  }
  /// When reservations begin, end and are forgotten, soonest first.
  const std::set<std::pair<std::int64_t, std::int64_t>>& reservation_steps() const {
    return indexes_.reservation_steps;
  }
  /// The reservations of a host that have not ended, by their start.
  std::vector<const StoredReservation*> reservations_of(const msg::HostId& id) const;
  Occupancy occupancy(msg::ComputesetId id) const;
  const HostPool& pool() const { return indexes_.pool; }
  /// Every node of the cluster that has its address. Made at the first call.
  const std::vector<msg::PeerRange>& peers_of(const msg::ClusterId& id) const;
  /// The clusters whose peers have changed since the last call, or since the start.
  std::set<msg::ClusterId> take_renamed() { return std::exchange(clusters_renamed_, {}); }

 private:
  struct Indexes {
    std::map<msg::ClusterId, NodesByIndex> nodes_by_cluster = {};
    // While renames that exchange names arrive, two nodes may have one name.
    std::map<std::pair<msg::ClusterId, std::string>, std::set<msg::NodeId>> nodes_by_name = {};
    std::map<msg::HostId, std::set<msg::NodeId>> nodes_by_host = {};
    std::size_t placed_count = 0;
    std::set<msg::NodeId> waiting_nodes = {};
    std::set<msg::NodeId> failing_nodes = {};
    std::set<msg::NodeId> nodes_with_disk_work = {};
    std::set<msg::NodeId> nodes_with_save_due = {};
    std::set<msg::NodeId> nodes_saved_periodically = {};
    std::map<msg::HostId, std::set<msg::NodeId>> memories_by_host = {};
    std::set<msg::ComputesetId> submitted = {};
    std::set<msg::ComputesetId> active = {};
    std::map<msg::AllocationId, std::set<msg::ComputesetId>> unfinished_by_allocation = {};
    std::set<std::pair<std::int64_t, msg::ComputesetId>> walltime_ends = {};
    std::map<msg::ComputesetId, Occupancy> occupancy = {};
    std::map<std::string, std::int64_t> reservations_by_name = {};
    std::set<std::pair<std::int64_t, std::int64_t>> reservation_steps = {};
    // Of a host: those that have not ended, by their start.
    std::map<msg::HostId, std::set<HostPool::Hold>> holds = {};
    HostPool pool = {};

    void add(const StoredNode& node);
    void remove(const StoredNode& node);
    void add(const StoredComputeset& stored);
    void remove(const StoredComputeset& stored);
    void add(const StoredHost& host, const Config& config);
    void remove(const StoredHost& host);
    void add_hold(const msg::HostId& id, const HostPool::Hold& hold);
    void remove_hold(const msg::HostId& id, const HostPool::Hold& hold);
    void add(const msg::Reservation& reservation, const Config& config);
    void remove(const msg::Reservation& reservation, const Config& config);
  };

  template <class Map, class Id>
  static const typename Map::mapped_type* find(const Map& map, const Id& id) {
    const auto found = map.find(id);
    return found == map.end() ? nullptr : &found->second;
  }
  void apply_node(const msg::NodeId& id, std::optional<StoredNode> node);
  void apply_host(const msg::HostId& id, std::optional<StoredHost> host);
  void apply_computeset(msg::ComputesetId id, std::optional<StoredComputeset> stored);
  void apply_reservation(std::int64_t id, std::optional<StoredReservation> stored);
  std::vector<msg::PeerRange> make_peers(const msg::ClusterId& id) const;

  Config config_;
  std::uint64_t generation_ = 0;
  std::map<msg::ClusterId, StoredCluster> clusters_ = {};
  std::map<msg::ProjectId, StoredProject> projects_ = {};
  std::map<msg::ProjectId, StoredUnacknowledged> unacknowledged_ = {};
  std::map<msg::HostId, StoredHost> hosts_ = {};
  std::unordered_map<msg::NodeId, StoredNode> nodes_ = {};
  std::map<msg::ComputesetId, StoredComputeset> computesets_ = {};
  std::map<msg::AllocationId, StoredAllocation> allocations_ = {};
  std::map<std::string, StoredReporter> reporters_ = {};
  std::map<msg::NodeId, StoredRemovedDisk> removed_disks_ = {};
  std::map<std::int64_t, StoredReservation> reservations_ = {};
  std::map<std::string, StoredHostClass> host_classes_ = {};
  std::int64_t computeset_count_ = 0;
  std::int64_t reservation_count_ = 0;
  StoredWaits waits_ = {};
  FinishedComputesets finished_ = {};
  Indexes indexes_ = {};
  // Made when first read; dropped when a node of the cluster changes its name or address.
  mutable std::map<msg::ClusterId, std::vector<msg::PeerRange>> peers_ = {};
  std::set<msg::ClusterId> clusters_renamed_ = {};
};

}  // namespace nucleus::scheduler

// The scheduler gives hosts to nodes: to frontends when they are powered on, to computesets all at
// once. It alone writes hosts' standing, placements, computesets and allocations; it keeps a view
// of every node made of what registry, network, image_store and provisioners tell. Everything here
// runs on the service's one loop.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "core/runtime/runtime.hpp"
#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "services/scheduler/config.hpp"
#include "services/scheduler/metrics.hpp"
#include "services/scheduler/placement.hpp"
#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

class Service {
 public:
  Service(core::Runtime& runtime, Config config);

 private:
  /// A transaction, the nodes that it writes, and the grants that go to hosts once it is durable.
  struct Change {
    core::Transaction tx;
    std::set<msg::NodeId> nodes = {};
    std::map<msg::HostId, std::vector<msg::NodeId>> granted = {};
  };
  /// What is known of a host in memory alone.
  struct Live {
    std::string boot_id = {};
    std::int64_t heard_ms = 0;     // steady
    std::int64_t answered_ms = 0;  // steady: its lease runs from here
    int grant_calls = 0;           // under way
    bool is_reachable = true;      // its hypervisor answers
    std::string fault = {};        // why not
  };
  struct Used {
    std::int64_t cpus = 0;
    std::int64_t memory_mb = 0;
  };

  // hosts.cpp
  core::Result<msg::HostLease> report_host(const msg::ReportHost& report, core::Context& context);
  core::Result<msg::Hosts> list_hosts(const msg::ListHosts& request, core::Context& context);
  core::Result<msg::Done> drain_host(const msg::DrainHost& request, core::Context& context);
  void show_ownership(core::Context& context);
  void look_at_hosts(core::Context& context);
  void set_host_state(Change& change, const StoredHost& host, msg::HostState state,
                      const std::string& reason);
  void lose_host(Change& change, const msg::HostId& host_id, std::int64_t now_unix_s);
  void write_host(Change& change, StoredHost host);
  msg::Host told(const StoredHost& host) const;
  void send_complete(const StoredHost& host);
  void send_grants(const StoredHost& host, const std::vector<msg::NodeId>& nodes, bool is_complete);

  // nodes.cpp
  core::Result<void> take_cluster(const msg::ClusterDefined& event, core::Context& context);
  core::Result<void> take_node(const msg::NodeDefined& event, core::Context& context);
  core::Result<void> forget_cluster(const msg::ClusterRemoved& event, core::Context& context);
  // clearances.cpp
  core::Result<void> take_clearance(const msg::AcknowledgementChanged& event,
                                    core::Context& context);
  core::Result<void> check_cleared(const msg::ProjectId& project_id) const;

  core::Result<void> take_ports(const msg::PortsLeased& event, core::Context& context);
  core::Result<void> take_volume(const msg::VolumePlaced& event, core::Context& context);
  core::Result<void> take_domain(const msg::DomainChanged& event, core::Context& context);
  core::Result<msg::NodeStatus> power_node(const msg::PowerNode& request, core::Context& context);
  core::Result<msg::NodeStatuses> list_node_statuses(const msg::ListNodeStatuses& request,
                                                     core::Context& context);
  core::Result<void> power_on(Change& change, StoredNode node);
  void stop(Change& change, StoredNode node, bool is_graceful, std::int64_t now_unix_ms);
  core::Result<void> reboot(Change& change, StoredNode node, bool is_reset);
  void place(Change& change, StoredNode node, const msg::HostId& host_id);
  void end_placement(Change& change, StoredNode node, std::int64_t off_unix_s);
  void write_node(Change& change, StoredNode node, bool is_grant_changed = false);
  void place_waiting(Change& change, std::int64_t now_unix_s);
  void place_waiting_nodes(Change& change, std::vector<HostRoom>& rooms);
  std::vector<HostRoom> rooms(const Change& change) const;
  msg::NodeStatus told(const StoredNode& node, const StoredComputeset* computeset) const;
  msg::NodeStatus told(const StoredNode& node) const;
  msg::Grant grant_of(const StoredNode& node);
  const std::vector<msg::PeerRange>& peers_of(const msg::ClusterId& cluster_id);

  // computesets.cpp
  core::Result<msg::Computeset> start_computeset(const msg::StartComputeset& request,
                                                 core::Context& context);
  core::Result<msg::Computeset> power_computeset(const msg::PowerComputeset& request,
                                                 core::Context& context);
  core::Result<msg::Computesets> list_computesets(const msg::ListComputesets& request,
                                                  core::Context& context);
  core::Result<std::vector<StoredNode>> pick_nodes(const msg::StartComputeset& request) const;
  core::Result<StoredNode> free_compute(const msg::ClusterId& cluster_id,
                                        const msg::NodeId& node_id) const;
  core::Result<msg::AllocationId> pick_allocation(const msg::StartComputeset& request) const;
  core::Result<void> check_allocation(const msg::AllocationId& id, std::int64_t core_s) const;
  void place_computesets(Change& change, std::vector<HostRoom>& rooms, std::int64_t now_unix_s);
  void end_computeset(Change& change, StoredComputeset computeset, bool is_graceful,
                      const std::string& reason, std::int64_t now_unix_ms);
  void complete_computeset(Change& change, msg::ComputesetId id, std::int64_t end_unix_s);
  void end_deserted(Change& change, msg::ComputesetId id);
  void end_walltimes(core::Context& context);
  void write_computeset(Change& change, StoredComputeset computeset);
  core::Result<msg::Allocation> define_allocation(const msg::DefineAllocation& request,
                                                  core::Context& context);
  core::Result<msg::Allocations> list_allocations(const msg::ListAllocations& request,
                                                  core::Context& context);

  // usage.cpp
  core::Result<msg::Usage> list_usage(const msg::ListUsage& request, core::Context& context);

  // removals.cpp
  core::Result<void> forget_node(const msg::NodeRemoved& event, core::Context& context);
  bool leave_computeset(Change& change, const StoredNode& node, std::int64_t now_unix_ms);

  // service.cpp
  Change begin(const core::Context& context) { return {.tx = store_.begin(context)}; }
  void finish(Change& change);
  void tell_node(Change& change, const msg::NodeId& node_id);
  template <class Reply>
  core::Result<Reply> commit(Change& change, Reply reply) {
    finish(change);
    auto result = change.tx.commit(std::move(reply));
    send_granted(change);
    return result;
  }
  core::Result<void> commit(Change& change);
  void send_granted(const Change& change);
  void rebuild_indexes();
  void show_counts();

  core::Loop& loop_;
  core::Bus& bus_;
  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  // Indexes over the records: rebuilt at each load, changed with the change that is committed.
  std::map<msg::HostId, Live> live_ = {};
  // Of computesets whose nodes ended while nobody watched: one that was still on when last looked.
  std::map<msg::ComputesetId, std::size_t> still_on_ = {};
  std::int64_t shown_ms_ = 0;  // steady; when a write last showed that this is the scheduler
  std::unordered_map<msg::HostId, Used> used_ = {};
  std::map<msg::HostId, std::set<msg::NodeId>> placed_ = {};
  std::size_t placed_count_ = 0;  // nodes, over all hosts
  std::unordered_map<msg::ClusterId, std::map<std::uint32_t, msg::NodeId>> nodes_of_ = {};
  // Made when first asked for; dropped when a node of the cluster changes its name or address.
  std::unordered_map<msg::ClusterId, std::vector<msg::PeerRange>> peers_of_ = {};
  std::set<msg::NodeId> waiting_ = {};  // wanted on, in no submitted computeset, on no host
  std::set<msg::ComputesetId> submitted_ = {};
  std::set<msg::ComputesetId> active_ = {};  // running or ending
  // Of those that end: so many of its nodes, from the first on, have no host any more.
  std::unordered_map<msg::ComputesetId, std::size_t> vacated_ = {};
};

}  // namespace nucleus::scheduler

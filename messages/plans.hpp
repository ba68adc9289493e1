// What a request to the scheduler would change. A plan changes nothing; it is made by the code that
// would make the change, and refused as the request itself would be. Starts and growth have plans
// of their own (explanations.hpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/allocations.hpp"
#include "messages/hibernation.hpp"
#include "messages/host_classes.hpp"
#include "messages/reservations.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::msg {

/// A node as it would become.
struct PlannedNode {
  std::string name = {};
  ClusterId cluster_id = {};
  NodeState state = NodeState::unknown;
  std::string reason = {};
  HostId host_id = {};  // empty = on no host
  NUCLEUS_FIELDS(name, cluster_id, state, reason, host_id);
};

/// What differs afterwards: each thing as it would become at once. What follows later, such as the
/// end of a node that shuts down, is not in it.
struct ChangePlan {
  std::vector<Computeset> computesets = {};
  std::vector<PlannedNode> nodes = {};  // by cluster and name
  std::vector<Host> hosts = {};         // for operators only
  std::vector<Reservation> reservations = {};
  std::vector<std::string> reservations_removed = {};  // by name
  std::vector<Allocation> allocations = {};
  std::int64_t more_core_s_max = 0;  // by which the computesets that go on would cost more if they
                                     // run for their whole walltime; negative = less
  std::optional<std::int64_t> left_core_s = {};  // of their allocation, before; not set = it has no
                                                 // limit, or no computeset goes on
  std::vector<HostId> hosts_removed = {};        // for operators only
  std::vector<HostClass> host_classes = {};
  std::vector<std::string> host_classes_removed = {};  // by name
  NUCLEUS_FIELDS(computesets, nodes, hosts, reservations, reservations_removed, allocations,
                 more_core_s_max, left_core_s, hosts_removed, host_classes, host_classes_removed);
};

/// What the one request that is set would change if it were sent now.
struct PlanChange {
  static constexpr std::string_view topic = "scheduler.plan-change";
  using Reply = ChangePlan;
  Viewer viewer = {};  // who sees the plan; a request's own one decides what it may change
  std::optional<ChangeWalltime> walltime = {};
  std::optional<PowerComputeset> power_computeset = {};
  std::optional<ShrinkComputeset> shrink = {};
  std::optional<PowerNode> power_node = {};
  std::optional<PowerNodes> power_nodes = {};
  std::optional<DrainHost> drain = {};
  std::optional<DefineAllocation> allocation = {};
  std::optional<DefineReservation> reservation = {};
  std::optional<RemoveReservation> remove_reservation = {};
  std::optional<RemoveHost> remove_host = {};
  std::optional<ClassifyHost> classify_host = {};
  std::optional<DefineHostClass> host_class = {};
  std::optional<RemoveHostClass> remove_host_class = {};
  std::optional<HibernateComputeset> hibernate = {};
  std::optional<ResumeComputeset> resume = {};
  NUCLEUS_FIELDS(viewer, walltime, power_computeset, shrink, power_node, power_nodes, drain,
                 allocation, reservation, remove_reservation, remove_host, classify_host,
                 host_class, remove_host_class, hibernate, resume);
};

}  // namespace nucleus::msg

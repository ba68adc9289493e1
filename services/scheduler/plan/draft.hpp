// A plan while it is made: the view, overlaid with what the plan has changed so far.
#pragma once

#include "services/scheduler/placement.hpp"
#include "services/scheduler/plan/plan.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

class Draft {
 public:
  Draft(const View& view, std::int64_t now_unix_ms)
      : view_{view}, now_unix_ms_{now_unix_ms}, pool_{view.pool()} {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  const View& view() const { return view_; }
  std::int64_t now_unix_ms() const { return now_unix_ms_; }
  std::int64_t now_unix_s() const { return now_unix_ms_ / 1000; }

  // Records as the plan leaves them; null if there is none.
  const StoredHost* host(const msg::HostId& id) const {
    return after(plan_.changes.hosts, id, view_.host(id));
  }
  const StoredNode* node(const msg::NodeId& id) const {
    return after(plan_.changes.nodes, id, view_.node(id));
  }
  const StoredComputeset* computeset(msg::ComputesetId id) const {
    return after(plan_.changes.computesets, id, view_.computeset(id));
  }
  const StoredReservation* reservation(std::int64_t id) const {
    return after(plan_.changes.reservations, id, view_.reservation(id));
  }
  const StoredAllocation* allocation(const msg::AllocationId& id) const {
    return after(plan_.changes.allocations, id, view_.allocation(id));
  }

  /// The record, to be changed; it must exist. Valid until it is removed.
  StoredHost& edit(const msg::HostId& id) { return edit(plan_.changes.hosts, id, view_.host(id)); }
  StoredNode& edit(const msg::NodeId& id) { return edit(plan_.changes.nodes, id, view_.node(id)); }
  StoredComputeset& edit(msg::ComputesetId id) {
    return edit(plan_.changes.computesets, id, view_.computeset(id));
  }

  msg::Reservation& edit_reservation(std::int64_t id) {
    return edit(plan_.changes.reservations, id, view_.reservation(id)).reservation;
  }

  /// For records that the plan makes or removes.
  Changes& changes() { return plan_.changes; }
  const Changes& changes() const { return plan_.changes; }

  /// The node's grant differs from the one that its host has.
  void change_grant(const StoredNode& node) {
    plan_.grants[node.host_id].insert(node.definition.node_id);
  }
  /// The host lost a grant.
  void change_grants(const msg::HostId& id) { plan_.grants[id]; }
  /// A report of a provisioner takes effect.
  void add_observed(msg::DomainChanged change) { plan_.observed.push_back(std::move(change)); }
  void want_pass() { plan_.wants_pass = true; }

  /// How many nodes of a computeset are on a host, or desired on, as the plan leaves them.
  View::Occupancy occupancy(msg::ComputesetId id) const;

  HostPoolDraft& pool() { return pool_; }
  std::size_t& search_steps_left() { return search_steps_left_; }

  Plan take() && { return std::move(plan_); }

 private:
  template <class Id, class Record>
  static Record& edit(Writes<Id, Record>& writes, const Id& id, const Record* before) {
    const auto [found, is_new] = writes.try_emplace(id);
    if (is_new) found->second = *before;
    return *found->second;
  }

  const View& view_;
  const std::int64_t now_unix_ms_;
  Plan plan_ = {};
  HostPoolDraft pool_;
  std::size_t search_steps_left_ = search_steps_max;
};

}  // namespace nucleus::scheduler

// The scheduler's Redis keys; no other file spells them.
#pragma once

#include <fmt/format.h>

#include "core/state/store.hpp"
#include "services/scheduler/records.hpp"

namespace nucleus::scheduler::keys {

inline core::Key<StoredCluster> cluster(const msg::ClusterId& id) {
  return {"nucleus:scheduler:cluster:" + id.value};
}
inline core::Key<StoredCluster> clusters() {
  return {"nucleus:scheduler:cluster:"};
}
inline core::Key<StoredNode> node(const msg::NodeId& id) {
  return {"nucleus:scheduler:node:" + id.value};
}
inline core::Key<StoredNode> nodes() {
  return {"nucleus:scheduler:node:"};
}
inline core::Key<StoredRemovedDisk> removed_disk(const msg::NodeId& id) {
  return {"nucleus:scheduler:removed-disk:" + id.value};
}
inline core::Key<StoredRemovedDisk> removed_disks() {
  return {"nucleus:scheduler:removed-disk:"};
}
inline core::Key<StoredProject> project(const msg::ProjectId& id) {
  return {"nucleus:scheduler:project:" + id.value};
}
inline core::Key<StoredProject> projects() {
  return project({});
}
inline core::Key<StoredUnacknowledged> unacknowledged(const msg::ProjectId& id) {
  return {"nucleus:scheduler:unacknowledged:" + id.value};
}
inline core::Key<StoredUnacknowledged> all_unacknowledged() {
  return {"nucleus:scheduler:unacknowledged:"};
}
inline core::Key<StoredHost> host(const msg::HostId& id) {
  return {"nucleus:scheduler:host:" + id.value};
}
inline core::Key<StoredHost> hosts() {
  return {"nucleus:scheduler:host:"};
}
/// Ids have leading zeros, so that the order of keys is the order of numbers.
inline core::Key<StoredComputeset> computeset(msg::ComputesetId id) {
  return {fmt::format("nucleus:scheduler:computeset:{:012}", id)};
}
inline core::Key<StoredComputeset> computesets() {
  return {"nucleus:scheduler:computeset:"};
}
inline core::Key<StoredCount> computeset_count() {
  return {"nucleus:scheduler:computeset-count:all"};
}
inline core::Key<StoredAllocation> allocation(const msg::AllocationId& id) {
  return {"nucleus:scheduler:allocation:" + id.value};
}
inline core::Key<StoredAllocation> allocations() {
  return {"nucleus:scheduler:allocation:"};
}
inline core::Key<StoredReservation> reservation(std::int64_t id) {
  return {fmt::format("nucleus:scheduler:reservation:{:012}", id)};
}
inline core::Key<StoredReservation> reservations() {
  return {"nucleus:scheduler:reservation:"};
}
inline core::Key<StoredHostClass> host_class(const std::string& name) {
  return {"nucleus:scheduler:host-class:" + name};
}
inline core::Key<StoredHostClass> host_classes() {
  return host_class({});
}
inline core::Key<StoredCount> reservation_count() {
  return {"nucleus:scheduler:reservation-count:all"};
}
inline core::Key<StoredWaits> waits() {
  return {"nucleus:scheduler:waits:all"};
}
inline core::Key<StoredReporter> reporter(const std::string& process) {
  return {"nucleus:scheduler:reporter:" + process};
}
inline core::Key<StoredReporter> reporters() {
  return reporter({});
}

}  // namespace nucleus::scheduler::keys

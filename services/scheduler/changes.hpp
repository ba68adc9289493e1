// Records as a plan leaves them: what the view takes and what a transaction writes.
#pragma once

#include <map>
#include <optional>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// Written records by id; no value = the record is removed.
template <class Id, class Record>
using Writes = std::map<Id, std::optional<Record>>;

struct Changes {
  Writes<msg::ClusterId, StoredCluster> clusters = {};
  Writes<msg::ProjectId, StoredProject> projects = {};
  Writes<msg::ProjectId, StoredUnacknowledged> unacknowledged = {};
  Writes<msg::HostId, StoredHost> hosts = {};
  Writes<msg::NodeId, StoredNode> nodes = {};
  Writes<msg::NodeId, StoredRemovedDisk> removed_disks = {};
  Writes<msg::ComputesetId, StoredComputeset> computesets = {};
  Writes<msg::AllocationId, StoredAllocation> allocations = {};
  Writes<std::string, StoredReporter> reporters = {};  // by process
  Writes<std::int64_t, StoredReservation> reservations = {};
  Writes<std::string, StoredHostClass> host_classes = {};  // by name
  std::optional<std::int64_t> computeset_count = {};
  std::optional<std::int64_t> reservation_count = {};
  std::optional<StoredWaits> waits = {};

  bool empty() const {
    return clusters.empty() && projects.empty() && unacknowledged.empty() && hosts.empty() &&
           nodes.empty() && removed_disks.empty() && computesets.empty() && allocations.empty() &&
           reporters.empty() && reservations.empty() && host_classes.empty() && !computeset_count &&
           !reservation_count && !waits;
  }
};

/// The record as `writes` leave it: null if they remove it, `before` if they do not name it.
template <class Id, class Record>
const Record* after(const Writes<Id, Record>& writes, const Id& id, const Record* before) {
  const auto found = writes.find(id);
  if (found == writes.end()) return before;
  return found->second ? &*found->second : nullptr;
}

}  // namespace nucleus::scheduler

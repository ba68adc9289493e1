// What the hosts report about the isolation of clusters, and what the scheduler makes of it: a host
// in doubt gets no node, and each cluster knows since when it is isolated.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Takes over what a host reports. A check that is too old counts as none.
void take_isolation(StoredHost& host, const msg::HostIsolation& reported, std::int64_t now_unix_s);

/// Whether take_isolation() would change nothing.
bool is_same_isolation(const StoredHost& host, const msg::HostIsolation& reported);

/// Nothing of ours runs there any more.
void forget_isolation(StoredHost& host, std::int64_t now_unix_s);

/// Records which clusters a fault of a changed host concerns.
void record_broken_clusters(Draft& draft);

/// The isolation of a cluster as `changes` leave it, without `checked_unix_s`.
msg::ClusterIsolation isolation_of(const View& view, const Changes& changes,
                                   const StoredCluster& stored);

/// The hosts of a cluster's nodes.
std::set<msg::HostId> hosts_of(const View& view, const Changes& changes,
                               const msg::ClusterId& cluster_id);

}  // namespace nucleus::scheduler

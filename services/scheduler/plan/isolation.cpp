#include "services/scheduler/plan/isolation.hpp"

#include <algorithm>
#include <limits>

namespace nucleus::scheduler {

using msg::IsolationState;

namespace {

struct Judged {
  IsolationState state = IsolationState::unknown;
  std::string reason = {};
};

Judged judge(const msg::HostIsolation& reported) {
  const bool is_old =
      reported.checked_age_ms < 0 || reported.checked_age_ms > msg::isolation_age_ms_max;
  if (reported.state == IsolationState::verified && is_old)
    return {IsolationState::unchecked, "no complete check for over 60 s"};
  // A release that reports another state is not trusted with it.
  if (reported.state == IsolationState::verified || reported.state == IsolationState::unknown ||
      reported.state == IsolationState::simulated)
    return {reported.state, ""};
  return {reported.state, reported.reason};
}

const StoredHost* host_after(const View& view, const Changes& changes, const msg::HostId& id) {
  return after(changes.hosts, id, view.host(id));
}

template <class Visit>
void for_each_node(const View& view, const Changes& changes, const msg::ClusterId& id,
                   const Visit& visit) {
  const auto* nodes = view.nodes_of(id);
  if (!nodes) return;
  for (const auto& [index, node_id] : *nodes)
    if (const auto* node = after(changes.nodes, node_id, view.node(node_id))) visit(*node);
}

/// The faults of one cluster, on any host.
std::vector<msg::IsolationFault> faults_of(const View& view, const Changes& changes,
                                           const msg::ClusterId& id) {
  std::vector<msg::IsolationFault> faults;
  const auto add = [&](const StoredHost* host) {
    if (!host) return;
    for (const auto& fault : host->isolation_faults)
      if (fault.cluster_id == id && faults.size() < msg::isolation_faults_max)
        faults.push_back(fault);
  };
  for (const auto& [host_id, stored] : view.hosts()) add(host_after(view, changes, host_id));
  for (const auto& [host_id, stored] : changes.hosts)
    if (!view.host(host_id)) add(stored ? &*stored : nullptr);
  return faults;
}

}  // namespace

bool is_same_isolation(const StoredHost& host, const msg::HostIsolation& reported) {
  const auto judged = judge(reported);
  return host.isolation == judged.state && host.isolation_reason == judged.reason &&
         host.isolation_faults == reported.faults;
}

void take_isolation(StoredHost& host, const msg::HostIsolation& reported, std::int64_t now_unix_s) {
  auto judged = judge(reported);
  if (host.isolation != judged.state) host.isolation_since_unix_s = now_unix_s;
  host.isolation = judged.state;
  host.isolation_reason = std::move(judged.reason);
  host.isolation_faults = reported.faults;
}

void forget_isolation(StoredHost& host, std::int64_t now_unix_s) {
  if (host.isolation == IsolationState::unknown) return;
  take_isolation(host, {.state = IsolationState::unchecked, .reason = "the host was lost"},
                 now_unix_s);
}

void record_broken_clusters(Draft& draft) {
  const auto& view = draft.view();
  std::set<msg::ClusterId> clusters;
  for (const auto& [id, host] : draft.changes().hosts) {
    const auto* before = view.host(id);
    const auto* now = host ? &*host : nullptr;
    if (before && now && before->isolation_faults == now->isolation_faults) continue;
    for (const auto* one : {before, now})
      if (one)
        for (const auto& fault : one->isolation_faults)
          if (!fault.cluster_id.empty()) clusters.insert(fault.cluster_id);
  }
  for (const auto& id : clusters) {
    const auto* stored = after(draft.changes().clusters, id, view.cluster(id));
    if (!stored) continue;
    const bool is_broken = !faults_of(view, draft.changes(), id).empty();
    if (stored->is_isolation_broken == is_broken) continue;
    StoredCluster changed = *stored;
    changed.is_isolation_broken = is_broken;
    changed.isolation_since_unix_s = draft.now_unix_s();
    draft.changes().clusters[id] = std::move(changed);
  }
}

std::set<msg::HostId> hosts_of(const View& view, const Changes& changes,
                               const msg::ClusterId& cluster_id) {
  std::set<msg::HostId> hosts;
  for_each_node(view, changes, cluster_id, [&](const StoredNode& node) {
    if (!node.host_id.empty()) hosts.insert(node.host_id);
  });
  return hosts;
}

msg::ClusterIsolation isolation_of(const View& view, const Changes& changes,
                                   const StoredCluster& stored) {
  const auto& id = stored.cluster.cluster_id;
  const auto hosts = hosts_of(view, changes, id);
  msg::ClusterIsolation isolation{.cluster_id = id,
                                  .project_id = stored.cluster.project_id,
                                  .faults = faults_of(view, changes, id)};
  if (!isolation.faults.empty()) {
    isolation.state = IsolationState::broken;
    isolation.reason = isolation.faults.front().reason;
    isolation.since_unix_s = stored.isolation_since_unix_s;
    return isolation;
  }
  if (hosts.empty()) {
    isolation.reason = "none of its nodes is on a host";
    return isolation;
  }
  std::int64_t since_unix_s = stored.isolation_since_unix_s;
  std::map<IsolationState, std::size_t> counts;
  for (const auto& host_id : hosts) {
    const auto* host = host_after(view, changes, host_id);
    ++counts[host ? host->isolation : IsolationState::unknown];
    if (host) since_unix_s = std::max(since_unix_s, host->isolation_since_unix_s);
  }
  // A broken host whose fault is of other clusters was checked as well.
  const auto in_doubt = counts[IsolationState::unchecked];
  if (in_doubt > 0) {
    isolation.state = IsolationState::unchecked;
    isolation.reason = std::to_string(in_doubt) + " of its " + std::to_string(hosts.size()) +
                       " hosts could not check within the last minute";
    return isolation;
  }
  if (counts[IsolationState::unknown] > 0) {
    isolation.reason = "a host of it does not check: its provisioner is of an earlier release";
    return isolation;
  }
  std::int64_t first_unix_s = std::numeric_limits<std::int64_t>::max();
  for_each_node(view, changes, id, [&](const StoredNode& node) {
    if (!node.host_id.empty() && node.running_unix_s > 0)
      first_unix_s = std::min(first_unix_s, node.running_unix_s);
  });
  if (first_unix_s != std::numeric_limits<std::int64_t>::max())
    since_unix_s = std::max(since_unix_s, first_unix_s);
  isolation.state =
      counts[IsolationState::simulated] > 0 ? IsolationState::simulated : IsolationState::verified;
  if (isolation.state == IsolationState::simulated)
    isolation.reason = "its hosts are simulated: there is no switch to check";
  isolation.since_unix_s = since_unix_s;
  return isolation;
}

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/disks.hpp"

#include <algorithm>
#include <utility>

#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

/// Why the host that keeps the node's disk or memory takes no nodes; empty if it does.
std::string why_closed(const StoredHost* host) {
  if (!host) return "which was removed";
  if (host->state != msg::HostState::up)
    return "which is " + std::string(msg::name_of(host->state));
  return host->is_drained ? "which is drained" : "";
}

/// Why the host that keeps the disk cannot run the node; empty if it can.
std::string fault_of(Draft& draft, const StoredNode& node, const msg::HostId& id) {
  const auto* host = draft.host(id);
  if (auto closed = why_closed(host); !closed.empty()) return closed;
  if (!host->keeps_volumes) return "which keeps no volumes of its own any more";
  if (!fits(node.size, total_of(*host, draft.view().config()))) return "which is too small for it";
  if (is_in_doubt(*host)) return {};  // it has just returned, or its ports are closed: it may wait
  const Need need = need_of(draft, node);
  if (need.host_class && *need.host_class != host->host_class)
    return "which is of class " + host->host_class;
  if (draft.pool().has_room(id, need)) return {};
  if (const auto* hold = draft.pool().find_hold(need))
    return "where " +
           shown_reservation(wait_for(draft, WaitReason::reserved, hold->reservation_id)) +
           " keeps its room";
  return "which has no room now";
}

bool is_on(const StoredRemovedDisk& disk, const msg::HostId& host_id) {
  return disk.host_id == host_id ||
         std::ranges::find(disk.spare_host_ids, host_id) != disk.spare_host_ids.end();
}

/// A host that is up and has not deleted the disk yet that was rolled back while it was lost.
const StoredHost* host_with_former_disk(const Draft& draft, const msg::NodeId& id) {
  const auto found = draft.view().removed_disks().find(id);
  if (found == draft.view().removed_disks().end()) return nullptr;
  for (const auto& [host_id, host] : draft.view().hosts())
    if (host.state == msg::HostState::up && is_on(found->second, host_id)) return &host;
  return nullptr;
}

bool is_any_without_volumes(const Draft& draft) {
  return std::ranges::any_of(draft.view().hosts(), [](const auto& host) {
    return is_open(host.second) && !host.second.keeps_volumes;
  });
}

}  // namespace

Need need_of(const Draft& draft, const StoredNode& node, const msg::HostId& host_id) {
  const auto disk = disk_place_of(node);
  const auto& kept_on = has_memory(node) ? node.memory.host_id : disk.host_id;
  Need need{.size = node.size,
            .host_id = kept_on.empty() ? host_id : kept_on,
            .is_disk_in_store = disk.is_in_store,
            .until_unix_s = draft.now_unix_s() + draft.view().config().reservation_horizon_s,
            .fabrics = fabrics_of(node)};
  const auto* stored = draft.computeset(node.computeset_id);
  if (!stored) return need;
  need.host_class = stored->computeset.host_class;
  need.reservation_id = draft.view().config().has_batch_system()
                            ? batch_hold(stored->computeset.computeset_id)
                            : stored->reservation_id;
  need.until_unix_s = walltime_end_unix_s(stored->computeset, draft.now_unix_s());
  return need;
}

const msg::HostId& requested_host(const StoredComputeset& stored, std::size_t i) {
  static const msg::HostId any;
  return stored.hosts.empty() ? any : stored.hosts[i];
}

std::size_t node_count_min(const StoredComputeset& stored, std::size_t count) {
  const std::size_t wanted = stored.computeset.node_count_min;
  // Of one that was hibernated, no node is left out: its memory would be lost.
  return wanted == 0 || stored.computeset.start_unix_s != 0 ? count : std::min(wanted, count);
}

Needs needs_of(const Draft& draft, const StoredComputeset& stored) {
  const auto& nodes = stored.computeset.nodes;
  Needs needs{.count_min = node_count_min(stored, nodes.size())};
  needs.all.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    needs.all.push_back(need_of(draft, *draft.node(nodes[i]), requested_host(stored, i)));
  return needs;
}

Wait why_disk_is_away(Draft& draft, const StoredNode& node, const msg::HostId& host_id) {
  if (has_memory(node)) return why_memory_is_away(draft, node);
  const auto disk = disk_place_of(node);
  Wait wait{.reason = WaitReason::disk};
  if (const auto* former = host_with_former_disk(draft, node.definition.node_id)) {
    wait.detail = "host " + former->host_id.value + " deletes the disk that was rolled back";
    return wait;
  }
  if (!disk.host_id.empty()) {
    auto fault = fault_of(draft, node, disk.host_id);
    if (fault.empty() && !host_id.empty() && host_id != disk.host_id)
      fault = "not on host " + host_id.value;
    if (fault.empty()) return {};
    wait.detail = "its disk is on host " + disk.host_id.value + ", " + fault;
    return wait;
  }
  if (!disk.is_in_store) return {};
  const auto* named = draft.host(host_id);
  if (named ? !named->keeps_volumes : is_any_without_volumes(draft)) return {};
  wait.detail = named ? "its disk is in the image store, not on host " + host_id.value
                      : "its disk is in the image store, which no open host uses in place";
  return wait;
}

Wait why_memory_is_away(const Draft& draft, const StoredNode& node) {
  const auto closed = why_closed(draft.host(node.memory.host_id));
  if (closed.empty()) return {};
  return {.reason = WaitReason::memory,
          .detail = "its memory is on host " + node.memory.host_id.value + ", " + closed};
}

void record_disk(Draft& draft, StoredNode& node) {
  const auto* host = draft.host(node.host_id);
  if (!host || node.volume.path.empty()) return;
  if (!host->keeps_volumes) {
    node.is_disk_fresh = false;
    return;
  }
  if (disk_place_of(node) == DiskPlace{}) node.is_disk_fresh = true;
  node.disk_host_id = node.host_id;
  std::erase(node.spare_disk_hosts, node.host_id);
}

void forget_fresh_disk(StoredNode& node) {
  if (node.is_disk_fresh && !node.disk_host_id.empty())
    node.spare_disk_hosts.push_back(std::exchange(node.disk_host_id, {}));
}

StoredRemovedDisk removed_disk_of(const View& view, const StoredNode& node) {
  const auto& id = node.definition.node_id;
  StoredRemovedDisk removed{
      .node_id = id, .host_id = node.disk_host_id, .spare_host_ids = node.spare_disk_hosts};
  const auto earlier = view.removed_disks().find(id);
  if (earlier == view.removed_disks().end()) return removed;
  auto hosts = earlier->second.spare_host_ids;
  hosts.push_back(earlier->second.host_id);
  for (const auto& host_id : hosts)
    if (!host_id.empty() && !is_on(removed, host_id)) removed.spare_host_ids.push_back(host_id);
  return removed;
}

void erase_node(Draft& draft, const msg::NodeId& id) {
  const auto* node = draft.node(id);
  if (!node->disk_host_id.empty() || !node->spare_disk_hosts.empty())
    draft.changes().removed_disks[id] = removed_disk_of(draft.view(), *node);
  draft.changes().nodes[id].reset();
}

Plan plan_disks_removed(const View& view, const msg::HostId& host_id,
                        const msg::VolumesRemoved& removed, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& id : removed.nodes) {
    const auto known = view.removed_disks().find(id);
    if (known == view.removed_disks().end() || !is_on(known->second, host_id)) continue;
    auto left = known->second;
    if (left.host_id == host_id) left.host_id = {};
    std::erase(left.spare_host_ids, host_id);
    const bool is_done = left.host_id.empty() && left.spare_host_ids.empty();
    auto& removed_disk = draft.changes().removed_disks[id];
    if (!is_done) removed_disk = std::move(left);
  }
  return finish(draft);
}

std::vector<msg::NodeId> disks_to_remove(const View& view, const msg::HostId& host_id) {
  std::vector<msg::NodeId> nodes;
  for (const auto& [id, disk] : view.removed_disks())
    if (is_on(disk, host_id) && nodes.size() < msg::removed_volumes_max) nodes.push_back(id);
  return nodes;
}

}  // namespace nucleus::scheduler

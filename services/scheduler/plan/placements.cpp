#include "services/scheduler/plan/placements.hpp"

#include <algorithm>

#include "services/scheduler/plan/adapters.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/automatic_saves.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/leaving.hpp"

namespace nucleus::scheduler {

void place(Draft& draft, const msg::NodeId& id, const msg::HostId& host_id) {
  StoredNode& node = draft.edit(id);
  if (node.running_unix_s > 0) node.start_failures.clear();  // of placements before that one
  node.is_desired_on = true;
  node.host_id = host_id;
  node.is_save_due = false;
  record_disk(draft, node);
  ++node.epoch;
  node.is_grant_on = true;
  node.is_graceful = false;
  node.stop_by_unix_ms = 0;
  node.reboots = node.resets = 0;
  node.placed_unix_s = draft.now_unix_s();
  node.running_unix_s = 0;
  node.observed = msg::DomainState::absent;
  node.observed_reason.clear();
  node.is_preparing = false;
  node.hibernation_id = node.memory.hibernation_id;
  lease_adapters(draft, node);
  draft.change_grant(node);
}

void stop(Draft& draft, const msg::NodeId& id, bool is_graceful) {
  StoredNode& node = draft.edit(id);
  node.is_desired_on = false;
  node.memory = {};  // a host that is to start the node with it may have done so
  if (node.host_id.empty()) return;
  const bool is_forced_now = !node.is_grant_on && node.is_graceful && !is_graceful;
  const bool is_saved_now = !node.is_grant_on && !node.hibernation_id.empty();
  if (!node.is_grant_on && !is_forced_now && !is_saved_now) return;
  node.hibernation_id.clear();
  node.is_grant_on = false;
  node.is_graceful = is_graceful;
  node.stop_by_unix_ms = is_graceful ? draft.now_unix_ms() + draft.view().config().shutdown_ms : 0;
  draft.change_grant(node);
}

void save_memory(Draft& draft, const msg::NodeId& id, const std::string& hibernation_id) {
  StoredNode& node = draft.edit(id);
  node.is_desired_on = false;
  if (node.host_id.empty() || !node.is_grant_on) return;
  node.memory = {};
  node.hibernation_id = hibernation_id;
  node.is_grant_on = false;
  node.is_graceful = true;
  node.stop_by_unix_ms = draft.now_unix_ms() + draft.view().config().save_memory_ms;
  draft.change_grant(node);
}

void restart(Draft& draft, const msg::NodeId& id, bool is_reset) {
  StoredNode& node = draft.edit(id);
  ++(is_reset ? node.resets : node.reboots);
  draft.change_grant(node);
}

void end_placement(Draft& draft, const msg::NodeId& id, std::int64_t off_unix_s) {
  StoredNode& node = draft.edit(id);
  // Powered on again while it was being stopped: a new power-on, which takes the new size.
  const bool is_power_on_pending = node.is_desired_on && !node.is_grant_on && !is_moved(node);
  if (is_moved(node) && node.wait.reason == WaitReason::start_failed) forget_fresh_disk(node);
  draft.change_grants(node.host_id);
  release_adapters(draft, node);
  if (node.is_grant_on) node.memory = {};
  node.hibernation_id.clear();
  node.host_id = {};
  node.is_grant_on = false;
  node.off_unix_s = off_unix_s;
  if (!has_memory(node)) record_save_due(node);
  if (node.is_leaving) leave(draft, id, off_unix_s);
  if (is_power_on_pending) (void)resize_node(draft, id);  // refused: it keeps its size
  if (!node.is_removed) return;
  if (draft.computeset(node.computeset_id)) {
    auto& stored = draft.edit(node.computeset_id);
    stored.off_unix_s = std::max(stored.off_unix_s, off_unix_s);
  }
  erase_node(draft, id);
}

}  // namespace nucleus::scheduler

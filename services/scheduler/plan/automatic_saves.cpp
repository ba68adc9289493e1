#include "services/scheduler/plan/automatic_saves.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "services/scheduler/plan/disk_work.hpp"
#include "services/scheduler/plan/finish.hpp"

namespace nucleus::scheduler {

using msg::DiskWorkKind;

namespace {

/// Another one with each placement and each generation: no other work ever has it.
std::string work_id_of(const StoredNode& node, const std::string& what) {
  return node.definition.node_id.value + "-" + std::to_string(node.epoch) + "-" + what;
}

bool has_changed_disk(const StoredNode& node) {
  return node.volume.disk_bytes > 0 && node.epoch > 0 && !node.is_disk_fresh;
}

bool is_disk_reachable(const Draft& draft, const StoredNode& node) {
  if (node.disk_host_id.empty()) return true;
  const auto* host = draft.host(node.disk_host_id);
  return host && host->state == msg::HostState::up;
}

void begin_removal(Draft& draft, StoredNode& node, const RemovableRun& run) {
  node.disk_work = {.work_id = work_id_of(node, "remove-" + std::to_string(run.last)),
                    .kind = DiskWorkKind::remove,
                    .generation = run.last,
                    .begun_unix_s = draft.now_unix_s(),
                    .is_automatic = true,
                    .first_generation = run.first == run.last ? 0 : run.first};
}

/// Once: whatever comes of it, the next one is due when the node has run again, or has run for long
/// enough.
void begin_save(Draft& draft, StoredNode& node, const std::string& what) {
  node.is_save_due = false;
  node.save_begun_unix_s = draft.now_unix_s();
  node.disk_work = {.work_id = work_id_of(node, what),
                    .kind = DiskWorkKind::save,
                    .begun_unix_s = draft.now_unix_s(),
                    .is_automatic = true};
  if (node.disk.generations.size() < msg::generations_max) return;
  node.disk_work.ended_unix_s = draft.now_unix_s();
  node.disk_work.reason = too_many_generations(node);
}

bool has_failed(const msg::DiskWork& work) {
  return !work.reason.empty();
}

/// If the list is full, room is made first, once.
void begin_save_or_removal(Draft& draft, StoredNode& node, const std::string& what) {
  const auto& last = node.disk_work;
  const bool is_refused =
      last.is_automatic && last.kind == DiskWorkKind::remove && has_failed(last);
  const bool is_full = node.disk.generations.size() >= msg::generations_max;
  const auto run = is_full && !is_refused ? removable_run(node, 0) : std::nullopt;
  if (run) return begin_removal(draft, node, *run);
  begin_save(draft, node, what);
}

void begin_due_save(Draft& draft, StoredNode& node) {
  if (!node.definition.save_at_power_off || !has_changed_disk(node)) {
    node.is_save_due = false;
    return;
  }
  if (!node.is_volume_ready || !is_disk_reachable(draft, node)) return;
  begin_save_or_removal(draft, node, "save");
}

/// Since when the running node was not saved, nor begun to be.
std::int64_t unsaved_since_unix_s(const StoredNode& node) {
  return std::max(node.running_unix_s, node.save_begun_unix_s);
}

bool is_periodic_save_due(const Draft& draft, const StoredNode& node) {
  const std::int64_t period_s = std::int64_t{node.definition.save_every_minutes} * 60;
  return period_s > 0 && runs_on_kept_disk(node) && !node.is_removed &&
         !msg::is_under_way(node.disk_work) && node.is_volume_ready && has_changed_disk(node) &&
         is_disk_reachable(draft, node) &&
         draft.now_unix_s() - unsaved_since_unix_s(node) >= period_s;
}

}  // namespace

std::optional<RemovableRun> removable_run(const StoredNode& node, std::size_t spare_max) {
  const auto& all = node.disk.generations;
  std::map<std::uint64_t, std::vector<std::uint64_t>> children;
  std::vector<std::uint64_t> automatic;
  for (const auto& one : all) {
    children[one.parent].push_back(one.number);
    if (one.is_automatic) automatic.push_back(one.number);
  }
  if (automatic.size() <= automatic_kept) return std::nullopt;
  automatic.resize(automatic.size() - automatic_kept);  // by number: the older ones
  std::set<std::uint64_t> removable;
  for (const auto number : automatic)
    if (number != node.disk.generation && children[number].size() <= 1) removable.insert(number);
  if (removable.size() <= spare_max) return std::nullopt;
  std::optional<RemovableRun> longest;
  std::size_t length_max = 0;
  for (const auto& one : all) {
    if (!removable.contains(one.number) || removable.contains(one.parent)) continue;
    RemovableRun run{one.number, one.number};
    std::size_t length = 1;
    const auto next_of = [&] {
      const auto& next = children[run.last];
      return next.empty() ? 0 : next.front();
    };
    for (auto next = next_of(); removable.contains(next); next = next_of()) {
      run.last = next;
      ++length;
    }
    if (length <= length_max || is_continued_on_host(node, run.last)) continue;
    longest = run;
    length_max = length;
  }
  return longest;
}

void record_save_due(StoredNode& node) {
  node.is_save_due = node.definition.save_at_power_off && node.running_unix_s > 0;
}

void begin_automatic_work(Draft& draft, StoredNode& node) {
  // While it runs, the layers that its host has in use stay there; the next start reads what was
  // merged.
  const bool is_running = runs_on_kept_disk(node);
  if (node.is_removed || msg::is_under_way(node.disk_work)) return;
  if (!node.host_id.empty() && !is_running) return;
  if (!is_running && node.is_save_due) return begin_due_save(draft, node);
  const auto& last = node.disk_work;
  const bool was_saved = last.is_automatic && last.kind == DiskWorkKind::save && !has_failed(last);
  if (!was_saved || (node.is_desired_on && !is_running) || !node.is_volume_ready) return;
  if (const auto run = removable_run(node, automatic_spare_max)) begin_removal(draft, node, *run);
}

Plan plan_periodic_saves(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  std::vector<const StoredNode*> due;
  for (const auto& id : view.nodes_saved_periodically())
    if (is_periodic_save_due(draft, *view.node(id))) due.push_back(view.node(id));
  if (due.empty()) return {};
  std::ranges::stable_sort(due, {}, [](const auto* node) { return unsaved_since_unix_s(*node); });
  std::map<msg::HostId, std::size_t> under_way;
  for (const auto& id : view.nodes_with_disk_work()) ++under_way[view.node(id)->disk_host_id];
  for (const auto* node : due) {
    if (under_way[node->disk_host_id] >= periodic_saves_max) continue;
    ++under_way[node->disk_host_id];
    begin_save_or_removal(draft, draft.edit(node->definition.node_id),
                          "save-" + std::to_string(draft.now_unix_s()));
  }
  return draft.changes().nodes.empty() ? Plan{} : finish(draft);
}

Plan plan_due_saves(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& id : view.nodes_with_save_due())
    if (view.node(id)->host_id.empty() && is_disk_reachable(draft, *view.node(id))) draft.edit(id);
  return draft.changes().nodes.empty() ? Plan{} : finish(draft);
}

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/disk_work.hpp"

#include <algorithm>
#include <utility>

#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::DiskWorkKind;

namespace {

const msg::DiskGeneration* find_generation(const StoredNode& node, std::uint64_t number) {
  const auto& all = node.disk.generations;
  const auto found = std::ranges::find(all, number, &msg::DiskGeneration::number);
  return found == all.end() ? nullptr : &*found;
}

std::string shown_generation(std::uint64_t number) {
  return "generation " + std::to_string(number);
}

core::Result<void> check_off(const StoredNode& node, DiskWorkKind kind) {
  const auto& name = node.definition.name;
  if (kind == DiskWorkKind::save && runs_on_kept_disk(node)) return {};
  if (!node.host_id.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "node " + name + (node.is_grant_on ? " runs" : " is being stopped") +
                            ": its disk can be changed when it is off");
  if (has_memory(node))
    return core::refuse(ErrorCode::wrong_state,
                        "node " + name + " is hibernated: its memory belongs to its disk as it is");
  if (node.is_desired_on)
    return core::refuse(ErrorCode::wrong_state,
                        "node " + name + " is to be started: power it off first");
  return {};
}

core::Result<void> check_save(const StoredNode& node, const msg::ChangeDisk& request) {
  const auto& all = node.disk.generations;
  if (node.epoch == 0 || node.is_disk_fresh)
    return core::refuse(
        ErrorCode::wrong_state,
        node.disk.generation == 0
            ? "node " + node.definition.name + " has not run yet: its disk has nothing to save"
            : "nothing was written to the disk since " + shown_generation(node.disk.generation));
  if (all.size() >= msg::generations_max)
    return core::refuse(ErrorCode::wrong_state, too_many_generations(node));
  if (!request.name.empty() &&
      std::ranges::find(all, request.name, &msg::DiskGeneration::name) != all.end())
    return core::refuse(ErrorCode::conflict,
                        "the disk has a generation " + request.name + " already", "name");
  return {};
}

core::Result<void> check_generation(const StoredNode& node, std::uint64_t number) {
  if (find_generation(node, number)) return {};
  return core::refuse(ErrorCode::not_found, "the disk has no " + shown_generation(number),
                      "generation");
}

core::Result<void> check_removal(const StoredNode& node, std::uint64_t number) {
  if (auto known = check_generation(node, number); !known) return known;
  if (node.disk.generation == number)
    return core::refuse(
        ErrorCode::wrong_state,
        "the disk continues " + shown_generation(number) + ": roll it back to another one first",
        "generation");
  const auto count =
      std::ranges::count(node.disk.generations, number, &msg::DiskGeneration::parent);
  if (count > 1)
    return core::refuse(ErrorCode::wrong_state,
                        std::to_string(count) + " generations continue " +
                            shown_generation(number) + ": remove all but one of them first",
                        "generation");
  if (is_continued_on_host(node, number))
    return core::refuse(ErrorCode::wrong_state,
                        "host " + node.disk_host_id.value + " has a disk that continues " +
                            shown_generation(node.disk.generation) + ": save it first",
                        "generation");
  return {};
}

bool is_host_save(const StoredNode& node) {
  return node.disk_work.kind == DiskWorkKind::save && !node.disk_host_id.empty();
}

/// A roll-back discards what the host would send, if that cannot arrive now.
bool is_void(const View& view, const StoredNode& node, const msg::ChangeDisk& request) {
  if (request.kind != DiskWorkKind::roll_back || !is_host_save(node)) return false;
  const auto* host = view.host(node.disk_host_id);
  return !host || host->state != msg::HostState::up;
}

core::Result<void> check_work(const View& view, const StoredNode& node,
                              const msg::ChangeDisk& request) {
  if (auto off = check_off(node, request.kind); !off) return off;
  if (msg::is_under_way(node.disk_work) && !is_void(view, node, request))
    return core::refuse(ErrorCode::wrong_state, text_of(node.disk_work));
  if (!node.is_volume_ready)
    return core::refuse(ErrorCode::wrong_state, node.volume_reason.empty()
                                                    ? "its disk is not made yet"
                                                    : node.volume_reason);
  if (node.volume.disk_bytes == 0)
    return core::refuse(ErrorCode::wrong_state,
                        "node " + node.definition.name + " has no disk: it runs from memory");
  switch (request.kind) {
    case DiskWorkKind::save:
      return check_save(node, request);
    case DiskWorkKind::roll_back:
      return request.generation == 0 ? core::Result<void>{}
                                     : check_generation(node, request.generation);
    case DiskWorkKind::remove:
      return check_removal(node, request.generation);
    case DiskWorkKind::unknown:
      break;
  }
  return core::refuse(ErrorCode::invalid_argument, "no such work", "kind");
}

/// The host that keeps the disk deletes it before the node can start on it again.
void discard_host_disk(Draft& draft, StoredNode& node) {
  if (node.disk_host_id.empty()) return;
  const auto& id = node.definition.node_id;
  draft.changes().removed_disks[id] = removed_disk_of(draft.view(), node);
  node.disk_host_id = {};
  node.spare_disk_hosts.clear();
  node.is_disk_fresh = true;
}

/// The image store has all that was written: any host may continue it. This one deletes its files
/// when the node is removed.
void release_host_disk(StoredNode& node) {
  node.spare_disk_hosts.push_back(std::exchange(node.disk_host_id, {}));
  node.is_disk_fresh = true;
}

/// Something may have been written since the generation that the disk continues. A disk in the
/// image store is saved in place: the times say whether the node has run since.
bool is_changed(const StoredNode& node) {
  if (node.epoch == 0 || node.is_disk_fresh || node.volume.disk_bytes == 0) return false;
  if (!node.host_id.empty() || !node.disk_host_id.empty()) return true;
  const auto* current = find_generation(node, node.disk.generation);
  if (current && current->saved_unix_s >= node.off_unix_s) return false;
  const auto& work = node.disk_work;
  return work.kind != DiskWorkKind::roll_back || msg::is_under_way(work) || !work.reason.empty() ||
         work.ended_unix_s < node.off_unix_s;
}

/// A lost host does not hold the roll-back up: the node starts nowhere while a host that is back
/// has not deleted its disk.
bool is_deleted_first(const View& view, const msg::NodeId& id) {
  const auto found = view.removed_disks().find(id);
  if (found == view.removed_disks().end()) return false;
  const auto* host = view.host(found->second.host_id);
  return host && host->state != msg::HostState::lost;
}

}  // namespace

bool runs_on_kept_disk(const StoredNode& node) {
  return !node.host_id.empty() && node.host_id == node.disk_host_id && node.is_grant_on &&
         node.running_unix_s > 0;
}

bool is_continued_on_host(const StoredNode& node, std::uint64_t number) {
  const auto* current = find_generation(node, node.disk.generation);
  return !node.disk_host_id.empty() && current && current->parent == number;
}

std::string too_many_generations(const StoredNode& node) {
  return "the disk has " + std::to_string(node.disk.generations.size()) +
         " generations, the most that there may be: remove one";
}

msg::NodeDisk disk_of(const StoredNode& node) {
  return {
      .node_id = node.definition.node_id,
      .cluster_id = node.definition.cluster_id,
      .image_id = node.volume.image_id.empty() ? node.definition.image_id : node.volume.image_id,
      .disk_bytes = node.is_volume_ready ? node.volume.disk_bytes : 0,
      .host_id = node.disk_host_id,
      .generation = node.disk.generation,
      .generations = node.disk.generations,
      .work = node.disk_work,
      .is_changed = is_changed(node),
      .save_at_power_off = node.definition.save_at_power_off,
      .is_save_due = node.is_save_due,
      .save_every_minutes = node.definition.save_every_minutes};
}

core::Result<Plan> plan_disk_work(const View& view, const msg::ChangeDisk& request,
                                  const std::string& work_id, std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto found = find_node(view, request.viewer, request.node);
  if (!found) return std::unexpected(found.error());
  if (auto allowed = check_work(view, **found, request); !allowed)
    return std::unexpected(allowed.error());
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit((*found)->definition.node_id);
  node.disk_work = {.work_id = work_id,
                    .kind = request.kind,
                    .generation = request.kind == DiskWorkKind::save ? 0 : request.generation,
                    .name = request.kind == DiskWorkKind::save ? request.name : "",
                    .begun_unix_s = draft.now_unix_s()};
  if (request.kind == DiskWorkKind::remove) return finish(draft);
  node.is_save_due = false;
  if (request.kind == DiskWorkKind::save) node.save_begun_unix_s = draft.now_unix_s();
  if (request.kind == DiskWorkKind::roll_back) discard_host_disk(draft, node);
  return finish(draft);
}

std::vector<HostSave> host_saves(const View& view) {
  std::vector<HostSave> saves;
  for (const auto& id : view.nodes_with_disk_work()) {
    const auto& node = *view.node(id);
    if (!is_host_save(node)) continue;
    const auto* host = view.host(node.disk_host_id);
    const bool is_published = node.disk.ended_work_id == node.disk_work.work_id;
    saves.push_back({.node_id = id,
                     .host_id = node.disk_host_id,
                     .process = host ? host->process : "",
                     .work_id = node.disk_work.work_id,
                     .name = node.disk_work.name,
                     .is_automatic = node.disk_work.is_automatic,
                     .content_id = is_published && !node.volume.layers.empty()
                                       ? node.volume.layers.back().content_id
                                       : ""});
  }
  return saves;
}

Plan plan_disk_work_reason(const View& view, const HostSave& save, const std::string& reason,
                           std::int64_t now_unix_ms) {
  const auto* known = view.node(save.node_id);
  if (!known || known->disk_work.work_id != save.work_id || !msg::is_under_way(known->disk_work) ||
      known->disk_work.reason == reason)
    return {};
  Draft draft{view, now_unix_ms};
  draft.edit(save.node_id).disk_work.reason = reason;
  return finish(draft);
}

std::vector<msg::WorkOnDisk> disk_works(const View& view) {
  std::vector<msg::WorkOnDisk> works;
  for (const auto& id : view.nodes_with_disk_work()) {
    if (is_deleted_first(view, id) || is_host_save(*view.node(id))) continue;
    const auto& work = view.node(id)->disk_work;
    works.push_back({.node_id = id,
                     .work_id = work.work_id,
                     .kind = work.kind,
                     .generation = work.generation,
                     .name = work.name,
                     .is_automatic = work.is_automatic,
                     .first_generation = work.first_generation});
  }
  return works;
}

Plan plan_disk_work_ended(const View& view, const msg::WorkOnDisk& work, const std::string& reason,
                          std::int64_t now_unix_ms, bool is_continued) {
  const auto* known = view.node(work.node_id);
  if (!known || known->disk_work.work_id != work.work_id || !msg::is_under_way(known->disk_work))
    return {};
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(work.node_id);
  const bool has_all = reason.empty() && node.host_id.empty() && !is_continued;
  if (is_host_save(node) && has_all) release_host_disk(node);
  auto& ended = node.disk_work;
  ended.ended_unix_s = draft.now_unix_s();
  ended.reason = reason;
  return finish(draft);
}

void take_content(StoredNode& node, const msg::DiskContent& disk, std::int64_t now_unix_s) {
  node.disk = disk;
  auto& work = node.disk_work;
  if (!msg::is_under_way(work) || disk.ended_work_id != work.work_id) return;
  if (work.kind == DiskWorkKind::save && disk.reason.empty()) work.generation = disk.generation;
  // It ends when the host has acknowledged the published layer.
  if (is_host_save(node) && disk.reason.empty()) return;
  work.ended_unix_s = now_unix_s;
  work.reason = disk.reason;
}

}  // namespace nucleus::scheduler

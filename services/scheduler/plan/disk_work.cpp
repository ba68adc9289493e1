#include "services/scheduler/plan/disk_work.hpp"

#include <algorithm>
#include <utility>

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

core::Result<void> check_off(const StoredNode& node) {
  const auto& name = node.definition.name;
  if (!node.host_id.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "node " + name + (node.is_grant_on ? " runs" : " is being stopped") +
                            ": its disk can be changed when it is off");
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
    return core::refuse(ErrorCode::wrong_state,
                        "the disk has " + std::to_string(all.size()) +
                            " generations, the most that there may be: remove one that no other "
                            "continues");
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
  const auto& all = node.disk.generations;
  const auto child = std::ranges::find(all, number, &msg::DiskGeneration::parent);
  if (child == all.end()) return {};
  return core::refuse(ErrorCode::wrong_state,
                      shown_generation(child->number) + " continues " + shown_generation(number) +
                          ": remove that one first",
                      "generation");
}

core::Result<void> check_work(const StoredNode& node, const msg::ChangeDisk& request) {
  if (auto off = check_off(node); !off) return off;
  if (msg::is_under_way(node.disk_work))
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

bool is_host_save(const StoredNode& node) {
  return node.disk_work.kind == DiskWorkKind::save && !node.disk_host_id.empty();
}

/// The host that keeps the disk deletes it before the node can start on it again.
void discard_host_disk(Draft& draft, StoredNode& node) {
  if (node.disk_host_id.empty()) return;
  const auto& id = node.definition.node_id;
  draft.changes().removed_disks[id] = StoredRemovedDisk{
      .node_id = id, .host_id = node.disk_host_id, .spare_host_ids = node.spare_disk_hosts};
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

}  // namespace

msg::NodeDisk disk_of(const StoredNode& node) {
  return {.node_id = node.definition.node_id,
          .cluster_id = node.definition.cluster_id,
          .image_id = node.definition.image_id,
          .disk_bytes = node.is_volume_ready ? node.volume.disk_bytes : 0,
          .host_id = node.disk_host_id,
          .generation = node.disk.generation,
          .generations = node.disk.generations,
          .work = node.disk_work};
}

core::Result<Plan> plan_disk_work(const View& view, const msg::ChangeDisk& request,
                                  const std::string& work_id, std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto found = find_node(view, request.viewer, request.node);
  if (!found) return std::unexpected(found.error());
  if (auto allowed = check_work(**found, request); !allowed)
    return std::unexpected(allowed.error());
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit((*found)->definition.node_id);
  node.disk_work = {.work_id = work_id,
                    .kind = request.kind,
                    .generation = request.kind == DiskWorkKind::save ? 0 : request.generation,
                    .name = request.kind == DiskWorkKind::save ? request.name : "",
                    .begun_unix_s = draft.now_unix_s()};
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
    if (view.removed_disks().contains(id) || is_host_save(*view.node(id))) continue;
    const auto& work = view.node(id)->disk_work;
    works.push_back({.node_id = id,
                     .work_id = work.work_id,
                     .kind = work.kind,
                     .generation = work.generation,
                     .name = work.name});
  }
  return works;
}

Plan plan_disk_work_ended(const View& view, const msg::WorkOnDisk& work, const std::string& reason,
                          std::int64_t now_unix_ms) {
  const auto* known = view.node(work.node_id);
  if (!known || known->disk_work.work_id != work.work_id || !msg::is_under_way(known->disk_work))
    return {};
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(work.node_id);
  if (is_host_save(node) && reason.empty()) release_host_disk(node);
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

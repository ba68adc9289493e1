#include "services/image_store/generations.hpp"

#include <algorithm>
#include <set>

namespace nucleus::image_store {

using core::ErrorCode;
using msg::DiskWorkKind;

namespace {

std::string shown_number(std::uint64_t number) {
  return "generation " + std::to_string(number);
}

std::ptrdiff_t count_children(const StoredVolume& stored, std::uint64_t number) {
  return std::ranges::count_if(
      stored.generations, [&](const StoredGeneration& one) { return one.shown.parent == number; });
}

/// What is removed together is one line: each generation is continued by the next one alone.
core::Result<void> check_removal(const StoredVolume& stored, const msg::WorkOnDisk& request) {
  const auto first = request.first_generation == 0 ? request.generation : request.first_generation;
  for (auto number = request.generation;;) {
    if (auto known = check_generation(stored, number); !known) return known;
    if (stored.generation == number || count_children(stored, number) > 1)
      return core::refuse(ErrorCode::wrong_state, shown_number(number) + " is continued",
                          "generation");
    if (number == first) return {};
    number = find_generation(stored, number)->shown.parent;
  }
}

core::Result<void> check_work(const StoredVolume& stored, const msg::WorkOnDisk& request) {
  const auto& all = stored.generations;
  // What a host sends may never arrive.
  if (stored.work.is_under_way() && !stored.work.is_received)
    return core::refuse(ErrorCode::wrong_state, "the disk is being worked on");
  if (stored.state != VolumeState::ready)
    return core::refuse(ErrorCode::wrong_state, "the disk is not ready: " + stored.reason);
  if (stored.volume.disk_bytes == 0)
    return core::refuse(ErrorCode::wrong_state, "the node has no disk");
  const auto has = [&](auto&& is_wanted) { return std::ranges::any_of(all, is_wanted); };
  switch (request.kind) {
    case DiskWorkKind::save:
      if (all.size() >= msg::generations_max)
        return core::refuse(ErrorCode::wrong_state, "the disk has too many generations");
      if (!request.name.empty() &&
          has([&](const StoredGeneration& one) { return one.shown.name == request.name; }))
        return core::refuse(ErrorCode::conflict,
                            "the disk has a generation " + request.name + " already", "name");
      return {};
    case DiskWorkKind::roll_back:
      return request.generation == 0 ? core::Result<void>{}
                                     : check_generation(stored, request.generation);
    case DiskWorkKind::remove:
      return check_removal(stored, request);
    case DiskWorkKind::unknown:
      break;
  }
  return core::refuse(ErrorCode::invalid_argument, "no such work", "kind");
}

void take_saved(StoredVolume& stored, std::uint64_t size_bytes) {
  const auto& work = stored.work;
  stored.generation_count = work.generation;
  stored.generations.push_back({.shown = {.number = work.generation,
                                          .name = work.name,
                                          .saved_unix_s = work.begun_unix_s,
                                          .size_bytes = size_bytes,
                                          .parent = stored.generation,
                                          .is_automatic = work.is_automatic},
                                .folder = work.folder,
                                .sha256 = work.sha256});
  stored.generation = work.generation;
}

/// The generation that continues what is removed; null if none does.
const StoredGeneration* heir_of(const StoredVolume& stored, std::uint64_t number) {
  const auto& all = stored.generations;
  const auto found = std::ranges::find_if(
      all, [&](const StoredGeneration& one) { return one.shown.parent == number; });
  return found == all.end() ? nullptr : &*found;
}

/// Those that are removed, newest first.
std::vector<const StoredGeneration*> removed_by(const StoredVolume& stored) {
  const auto& work = stored.work;
  const auto first = work.first_generation == 0 ? work.generation : work.first_generation;
  std::vector<const StoredGeneration*> removed{find_generation(stored, work.generation)};
  while (removed.back()->shown.number != first)
    removed.push_back(find_generation(stored, removed.back()->shown.parent));
  return removed;
}

void take_removed(StoredVolume& stored, const FileDigest& merged, Plan& plan) {
  const auto removed = removed_by(stored);
  std::set<std::uint64_t> numbers;
  for (const auto* one : removed) {
    numbers.insert(one->shown.number);
    plan.folders_doomed.push_back(one->folder);
    if (!one->sent_folder.empty()) plan.folders_doomed.push_back(one->sent_folder);
  }
  if (const auto* heir = heir_of(stored, stored.work.generation)) {
    auto& one = stored.generations[static_cast<std::size_t>(heir - stored.generations.data())];
    one.shown.parent = removed.back()->shown.parent;
    one.shown.size_bytes = merged.size_bytes;
    if (!stored.work.folder.empty()) {
      if (!one.sent_folder.empty()) plan.folders_doomed.push_back(one.sent_folder);
      one.sent_folder = stored.work.folder;
      one.sha256 = merged.sha256;
    }
  }
  std::erase_if(stored.generations,
                [&](const StoredGeneration& one) { return numbers.contains(one.shown.number); });
}

template <class Request>
void set_parent(Request& request, const StoredVolume& stored, std::uint64_t number,
                const StoreDriver& driver) {
  if (const auto* parent = find_generation(stored, number)) {
    request.parent_folder = parent->folder;
  } else if (const auto* base = msg::find_base(stored.volume, msg::BaseFileKind::disk)) {
    request.image = driver.files_of({.folder = base->content_id, .has_disk = true}).disk;
    request.image_format = base->format;
  }
}

}  // namespace

core::Result<void> check_generation(const StoredVolume& stored, std::uint64_t number) {
  if (find_generation(stored, number)) return {};
  return core::refuse(ErrorCode::not_found, "the disk has no " + shown_number(number),
                      "generation");
}

const StoredGeneration* find_generation(const StoredVolume& stored, std::uint64_t number) {
  const auto found = std::ranges::find_if(
      stored.generations, [&](const StoredGeneration& one) { return one.shown.number == number; });
  return found == stored.generations.end() ? nullptr : &*found;
}

std::vector<const StoredGeneration*> chain_of(const StoredVolume& stored, std::uint64_t number) {
  std::vector<const StoredGeneration*> chain;
  // A parent's number is less than its child's.
  for (const auto* one = find_generation(stored, number); one;
       one = find_generation(stored, one->shown.parent))
    chain.push_back(one);
  std::ranges::reverse(chain);
  return chain;
}

std::vector<std::string> folders_of(const StoredVolume& stored, std::uint64_t number) {
  std::vector<std::string> folders{stored.image_folder};
  for (const auto* one : chain_of(stored, number)) folders.push_back(one->folder);
  return folders;
}

void set_layers(StoredVolume& stored) {
  stored.volume.layers.clear();
  for (const auto* one : chain_of(stored, stored.generation))
    stored.volume.layers.push_back(
        {.kind = msg::BaseFileKind::layer,
         .content_id = one->sent_folder.empty() ? one->folder : one->sent_folder,
         .format = "qcow2",
         .size_bytes = one->shown.size_bytes,
         .sha256 = one->sha256});
}

msg::DiskContent content_of(const StoredVolume& stored) {
  msg::DiskContent content{.generation = stored.generation};
  for (const auto& one : stored.generations) content.generations.push_back(one.shown);
  if (!stored.work.is_ended) return content;
  content.ended_work_id = stored.work.work_id;
  content.reason = stored.work.reason;
  return content;
}

core::Result<Plan> plan_disk_work(const View& view, const msg::WorkOnDisk& request,
                                  const std::string& folder, std::int64_t now_unix_s) {
  const auto* known = view.volume(request.node_id);
  if (!known || known->state == VolumeState::removed)
    return core::refuse(ErrorCode::not_found, "the node has no disk", "node_id");
  if (auto broken = msg::check_name("work_id", request.work_id)) return std::unexpected(*broken);
  if (known->work.work_id == request.work_id) return Plan{};
  if (auto allowed = check_work(*known, request); !allowed) return std::unexpected(allowed.error());
  StoredVolume stored = *known;
  Plan plan;
  if (!stored.work.folder.empty()) plan.folders_doomed.push_back(stored.work.folder);
  const bool is_save = request.kind == DiskWorkKind::save;
  const bool is_removal = request.kind == DiskWorkKind::remove;
  // What a host has sent is kept as hosts read it: what it becomes has an id of its own.
  const auto* heir = is_removal ? heir_of(stored, request.generation) : nullptr;
  const bool needs_folder = is_save || (heir && !heir->sha256.empty());
  stored.work = {.work_id = request.work_id,
                 .kind = request.kind,
                 .generation = is_save ? stored.generation_count + 1 : request.generation,
                 .name = is_save ? request.name : "",
                 .folder = needs_folder ? folder : "",
                 .begun_unix_s = now_unix_s,
                 .is_automatic = is_save && request.is_automatic,
                 .first_generation = is_removal ? request.first_generation : 0};
  plan.volumes.push_back({.stored = std::move(stored)});
  return plan;
}

core::Result<Plan> plan_received_layer(const View& view, const msg::ReceiveLayer& request,
                                       const std::string& folder, std::int64_t now_unix_s) {
  auto plan = plan_disk_work(view,
                             {.node_id = request.node_id,
                              .work_id = request.work_id,
                              .kind = DiskWorkKind::save,
                              .name = request.name,
                              .is_automatic = request.is_automatic},
                             folder, now_unix_s);
  if (!plan || plan->volumes.empty()) return plan;
  auto& work = plan->volumes.front().stored.work;
  work.is_received = true;
  work.sha256 = request.sha256;
  if (request.sealed_unix_s > 0) work.begun_unix_s = request.sealed_unix_s;
  return plan;
}

AdoptRequest adopt_request(const StoredVolume& stored, const StoreDriver& driver) {
  AdoptRequest request{.folder = stored.work.folder};
  set_parent(request, stored, stored.generation, driver);
  return request;
}

std::optional<MergeRequest> merge_request(const StoredVolume& stored, const StoreDriver& driver) {
  const auto* heir = heir_of(stored, stored.work.generation);
  if (!heir) return std::nullopt;
  MergeRequest request{.folder = heir->folder,
                       .sent_folder = stored.work.folder,
                       .disk_bytes = stored.volume.disk_bytes};
  set_parent(request, stored, removed_by(stored).back()->shown.parent, driver);
  return request;
}

std::vector<std::uint64_t> numbers_removed(const StoredVolume& stored,
                                           const msg::WorkOnDisk& request) {
  if (request.kind != DiskWorkKind::remove || !check_removal(stored, request)) return {};
  StoredVolume planned = stored;
  planned.work = {.generation = request.generation, .first_generation = request.first_generation};
  std::vector<std::uint64_t> numbers;
  for (const auto* one : removed_by(planned)) numbers.push_back(one->shown.number);
  return numbers;
}

SealRequest seal_request(const StoredVolume& stored) {
  return {.node_id = stored.node.node_id,
          .folder = stored.work.folder,
          .disk_bytes = stored.volume.disk_bytes};
}

core::Result<RollBackRequest> roll_back_request(const StoredVolume& stored,
                                                const StoreDriver& driver) {
  RollBackRequest request{.node_id = stored.node.node_id, .disk_bytes = stored.volume.disk_bytes};
  if (const auto* to = find_generation(stored, stored.work.generation)) {
    request.folder = to->folder;
    return request;
  }
  if (stored.image_folder.empty()) return request;
  const auto* base = msg::find_base(stored.volume, msg::BaseFileKind::disk);
  if (!base)
    return core::refuse(ErrorCode::wrong_state, "the format of the disk's image is not known");
  request.image = driver.files_of({.folder = base->content_id, .has_disk = true}).disk;
  request.image_format = base->format;
  return request;
}

std::optional<Plan> plan_disk_work_end(const View& view, const msg::NodeId& node_id,
                                       const std::string& work_id,
                                       const core::Result<FileDigest>& made) {
  const auto* known = view.volume(node_id);
  if (!known || known->state == VolumeState::removed || !known->work.is_under_way() ||
      known->work.work_id != work_id)
    return std::nullopt;
  Plan plan{.volumes = {{.stored = *known, .is_announced = true}}};
  auto& stored = plan.volumes.front().stored;
  auto& work = stored.work;
  work.is_ended = true;
  if (!made) {
    work.reason = made.error().detail;
    if (!work.folder.empty()) plan.folders_doomed.push_back(std::exchange(work.folder, {}));
    return plan;
  }
  switch (work.kind) {
    case DiskWorkKind::save:
      take_saved(stored, made->size_bytes);
      break;
    case DiskWorkKind::roll_back:
      stored.generation = work.generation;
      break;
    case DiskWorkKind::remove:
      take_removed(stored, *made, plan);
      break;
    case DiskWorkKind::unknown:
      break;
  }
  work.folder.clear();
  set_layers(stored);
  return plan;
}

}  // namespace nucleus::image_store

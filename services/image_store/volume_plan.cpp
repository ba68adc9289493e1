#include "services/image_store/volume_plan.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "services/image_store/generations.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

void require_transition(VolumeState from, VolumeState to) {
  NUCLEUS_ASSERT(std::ranges::find(volume_transitions, std::pair{from, to}) !=
                 volume_transitions.end());
}

void change_state(StoredVolume& stored, VolumeState next, std::string reason = {}) {
  if (stored.state != next) require_transition(stored.state, next);
  stored.state = next;
  stored.reason = std::move(reason);
}

/// What the node waits for; another project's image is no different from one that does not exist.
core::Error missing(const msg::ImageId& image_id) {
  return {.code = ErrorCode::not_found,
          .detail = "waits for image " + msg::shown(image_id.value) + ", which does not exist"};
}

/// The node's ISO; null if it has none.
core::Result<const StoredImage*> find_iso(const View& view, const msg::Node& node) {
  if (node.iso_id.empty()) return nullptr;
  const auto* iso = view.visible_image(node.iso_id, node.project_id);
  if (!iso) return std::unexpected(missing(node.iso_id));
  return iso;
}

msg::BaseFile base_file(msg::BaseFileKind kind, const std::string& folder, const FileDigest& digest,
                        const std::string& format = {}) {
  return {.kind = kind,
          .content_id = folder,
          .format = format,
          .size_bytes = digest.size_bytes,
          .sha256 = digest.sha256};
}

std::string disk_format(const msg::Image& image) {
  return image.format == msg::ImageFormat::qcow2 ? "qcow2" : "raw";
}

void attach_iso(msg::Volume& volume, const StoreDriver& driver, const StoredImage* iso) {
  volume.iso_path = iso ? driver.files_of(*iso).disk : "";
  std::erase_if(volume.base,
                [](const msg::BaseFile& file) { return file.kind == msg::BaseFileKind::iso; });
  if (iso)
    volume.base.push_back(base_file(msg::BaseFileKind::iso, iso->folder,
                                    {iso->image.size_bytes, iso->image.sha256}, "raw"));
}

/// What hosts with volumes of their own read of the image that the volume is a clone of.
void set_base(msg::Volume& volume, const StoredImage& stored) {
  using enum msg::BaseFileKind;
  const auto& image = stored.image;
  if (stored.has_disk)
    volume.base.push_back(
        base_file(disk, stored.folder, {image.size_bytes, image.sha256}, disk_format(image)));
  if (stored.has_kernel) volume.base.push_back(base_file(kernel, stored.folder, stored.kernel));
  if (stored.has_initramfs)
    volume.base.push_back(base_file(initramfs, stored.folder, stored.initramfs));
}

}  // namespace

Plan plan_definition(const View& view, const StoreDriver& driver, const msg::Node& node,
                     const std::string& new_ticket) {
  const auto* known = view.volume(node.node_id);
  StoredVolume stored = known ? *known : StoredVolume{};
  if (stored.state == VolumeState::removed) return {};
  const bool is_iso_changed = known && known->node.iso_id != node.iso_id;
  stored.node = node;
  stored.volume.node_id = node.node_id;
  if (!known) {
    change_state(stored, VolumeState::waiting);
    stored.volume.ticket = new_ticket;
  }
  if (stored.state != VolumeState::ready || !is_iso_changed)
    return {.volumes = {{.stored = std::move(stored)}}};
  const auto iso = find_iso(view, node);
  attach_iso(stored.volume, driver, iso.value_or(nullptr));
  if (!iso) change_state(stored, VolumeState::waiting, iso.error().detail);
  return {.volumes = {{.stored = std::move(stored), .is_announced = true}}};
}

Plan plan_removal(const View& view, const std::vector<msg::NodeId>& node_ids) {
  Plan plan;
  for (const auto& node_id : node_ids) {
    const auto* known = view.volume(node_id);
    if (!known || known->state == VolumeState::removed) continue;
    StoredVolume stored = *known;
    change_state(stored, VolumeState::removed);
    plan.volumes.push_back({.stored = std::move(stored)});
  }
  return plan;
}

core::Result<CloneRequest> plan_clone(const View& view, const StoreDriver& driver,
                                      const msg::Node& node) {
  CloneRequest request{.node_id = node.node_id, .disk_gb = node.disk_gb};
  if (const auto iso = find_iso(view, node); !iso) return std::unexpected(iso.error());
  if (node.image_id.empty()) return request;
  const auto* image = view.visible_image(node.image_id, node.project_id);
  if (!image) return std::unexpected(missing(node.image_id));
  request.image = driver.files_of(*image);
  request.image_format = disk_format(image->image);
  request.image_bytes = image->image.virtual_bytes;
  return request;
}

std::optional<Plan> plan_clone_end(const View& view, const StoreDriver& driver,
                                   const msg::NodeId& node_id,
                                   const core::Result<msg::Volume>& made) {
  const auto* known = view.volume(node_id);
  if (!known || known->state != VolumeState::waiting) return std::nullopt;
  StoredVolume stored = *known;
  const auto* image = view.image(stored.cloned_image());
  if (made) {
    const auto ticket = std::move(stored.volume.ticket);
    stored.volume = *made;
    stored.volume.ticket = ticket;
    if (image) {
      stored.volume.cmdline = image->image.cmdline;
      stored.volume.firmware = image->image.firmware;
      stored.image_folder = image->folder;
      stored.volume.image_id = image->image.image_id;
      set_base(stored.volume, *image);
    }
    set_layers(stored);
  }
  // The ISO may have been attached, or removed, since the clone began.
  const auto iso = find_iso(view, stored.node);
  if (made && iso) {
    attach_iso(stored.volume, driver, *iso);
    change_state(stored, VolumeState::ready);
  } else {
    const auto& reason = made ? iso.error().detail : made.error().detail;
    if (stored.reason == reason) return std::nullopt;
    change_state(stored, VolumeState::waiting, reason);
  }
  return Plan{.volumes = {{.stored = std::move(stored), .is_announced = true}}};
}

Plan plan_missing_tickets(const View& view, const StoreDriver& driver,
                          const std::function<std::string()>& new_ticket) {
  Plan plan;
  for (const auto& [node_id, known] : view.volumes()) {
    if (!known.volume.ticket.empty() || known.state == VolumeState::removed) continue;
    StoredVolume stored = known;
    auto& volume = stored.volume;
    volume.ticket = new_ticket();
    const bool is_ready = stored.state == VolumeState::ready;
    if (is_ready) {
      const auto request = plan_clone(view, driver, stored.node);
      if (!volume.path.empty() && request) volume.disk_bytes = disk_bytes_of(*request);
      const auto* image = view.image(stored.node.image_id);
      if (image && image->folder == stored.image_folder) set_base(volume, *image);
      attach_iso(volume, driver, find_iso(view, stored.node).value_or(nullptr));
    }
    plan.volumes.push_back({.stored = std::move(stored), .is_announced = is_ready});
  }
  return plan;
}

core::Result<std::string> find_base_file(const View& view, const StoreDriver& driver,
                                         const std::string& ticket, const std::string& content_id,
                                         msg::BaseFileKind kind) {
  const auto* stored = view.volume_with(ticket);
  if (!stored) return core::refuse(ErrorCode::unauthenticated, "no volume has this ticket");
  const auto& layers = stored->volume.layers;
  const auto layer = std::ranges::find(layers, content_id, &msg::BaseFile::content_id);
  // A layer that was sealed here names another file of the store: no host ever needs it.
  const bool is_sent = layer != layers.end() && !layer->sha256.empty();
  const auto* file = kind != msg::BaseFileKind::layer ? msg::find_base(stored->volume, kind)
                     : is_sent                        ? &*layer
                                                      : nullptr;
  if (!file || file->content_id != content_id)
    return core::refuse(ErrorCode::not_found, "not a file of the volume's base");
  const auto files = driver.files_of(
      {.folder = file->content_id, .has_disk = true, .has_kernel = true, .has_initramfs = true});
  switch (kind) {
    case msg::BaseFileKind::disk:
    case msg::BaseFileKind::iso:
    case msg::BaseFileKind::layer:
      return files.disk;
    case msg::BaseFileKind::kernel:
      return files.kernel;
    case msg::BaseFileKind::initramfs:
      return files.initramfs;
    case msg::BaseFileKind::unknown:
      break;
  }
  return core::refuse(ErrorCode::not_found, "not a file of the volume's base");
}

Plan plan_removal_end(const View& view, const msg::NodeId& node_id) {
  const auto* known = view.volume(node_id);
  NUCLEUS_ASSERT(known);
  require_transition(known->state, VolumeState::unknown);
  Plan plan{.volumes_removed = {node_id}};
  for (const auto& one : known->generations) {
    plan.folders_doomed.push_back(one.folder);
    if (!one.sent_folder.empty()) plan.folders_doomed.push_back(one.sent_folder);
  }
  if (!known->work.folder.empty()) plan.folders_doomed.push_back(known->work.folder);
  return plan;
}

}  // namespace nucleus::image_store

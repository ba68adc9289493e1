#include "services/image_store/volume_plan.hpp"

#include <algorithm>

#include "core/assert.hpp"

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

/// The path of the node's ISO; empty if it has none.
core::Result<std::string> iso_path(const View& view, const StoreDriver& driver,
                                   const msg::Node& node) {
  if (node.iso_id.empty()) return std::string();
  const auto* iso = view.visible_image(node.iso_id, node.project_id);
  if (!iso) return std::unexpected(missing(node.iso_id));
  return driver.files_of(*iso).disk;
}

}  // namespace

Plan plan_definition(const View& view, const StoreDriver& driver, const msg::Node& node) {
  const auto* known = view.volume(node.node_id);
  StoredVolume stored = known ? *known : StoredVolume{};
  if (stored.state == VolumeState::removed) return {};
  const bool is_iso_changed = known && known->node.iso_id != node.iso_id;
  stored.node = node;
  stored.volume.node_id = node.node_id;
  if (!known) change_state(stored, VolumeState::waiting);
  if (stored.state != VolumeState::ready || !is_iso_changed)
    return {.volumes = {{.stored = std::move(stored)}}};
  const auto path = iso_path(view, driver, node);
  stored.volume.iso_path = path.value_or("");
  if (!path) change_state(stored, VolumeState::waiting, path.error().detail);
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
  if (const auto iso = iso_path(view, driver, node); !iso) return std::unexpected(iso.error());
  if (node.image_id.empty()) return request;
  const auto* image = view.visible_image(node.image_id, node.project_id);
  if (!image) return std::unexpected(missing(node.image_id));
  request.image = driver.files_of(*image);
  request.image_format = image->image.format == msg::ImageFormat::qcow2 ? "qcow2" : "raw";
  request.image_bytes = image->image.virtual_bytes;
  return request;
}

std::optional<Plan> plan_clone_end(const View& view, const StoreDriver& driver,
                                   const msg::NodeId& node_id,
                                   const core::Result<msg::Volume>& made) {
  const auto* known = view.volume(node_id);
  if (!known || known->state != VolumeState::waiting) return std::nullopt;
  StoredVolume stored = *known;
  const auto* image = view.image(stored.node.image_id);
  if (made) {
    stored.volume = *made;
    if (image) {
      stored.volume.cmdline = image->image.cmdline;
      stored.image_folder = image->folder;
    }
  }
  // The ISO may have been attached, or removed, since the clone began.
  const auto iso = iso_path(view, driver, stored.node);
  if (made && iso) {
    stored.volume.iso_path = *iso;
    change_state(stored, VolumeState::ready);
  } else {
    const auto& reason = made ? iso.error().detail : made.error().detail;
    if (stored.reason == reason) return std::nullopt;
    change_state(stored, VolumeState::waiting, reason);
  }
  return Plan{.volumes = {{.stored = std::move(stored), .is_announced = true}}};
}

Plan plan_removal_end(const View& view, const msg::NodeId& node_id) {
  const auto* known = view.volume(node_id);
  NUCLEUS_ASSERT(known);
  require_transition(known->state, VolumeState::unknown);
  return {.volumes_removed = {node_id}};
}

}  // namespace nucleus::image_store

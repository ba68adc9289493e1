#include "services/image_store/changes.hpp"

#include "services/image_store/generations.hpp"
#include "services/image_store/keys.hpp"

namespace nucleus::image_store {

msg::NodeVolume node_volume(const StoredVolume& stored) {
  return {.node_id = stored.node.node_id,
          .cluster_id = stored.node.cluster_id,
          .project_id = stored.node.project_id,
          .image_id = stored.cloned_image(),
          .disk_gb = stored.node.disk_gb,
          .format = stored.volume.format,
          .is_ready = stored.state == VolumeState::ready,
          .reason = stored.reason,
          .disk = content_of(stored)};
}

void apply(const Plan& plan, View& view, core::Transaction& tx) {
  view.apply(plan);
  for (const auto& id : plan.projects) tx.write(keys::project(id), StoredProject{id});
  for (const auto& id : plan.projects_removed) tx.remove(keys::project(id));
  for (const auto& node_id : plan.volumes_removed) tx.remove(keys::volume(node_id));
  for (const auto& image_id : plan.images_removed) {
    tx.remove(keys::image(image_id));
    tx.emit(msg::ImageRemoved{.project_id = owner_of(image_id), .image_id = image_id});
  }
  for (const auto& folder : plan.folders_doomed)
    tx.write(keys::doomed_folder(folder), StoredDoomedFolder{folder});
  for (const auto& folder : plan.folders_deleted) tx.remove(keys::doomed_folder(folder));
  for (const auto& stored : plan.images) {
    tx.write(keys::image(stored.image.image_id), stored);
    tx.emit(
        msg::ImagePublished{.project_id = owner_of(stored.image.image_id), .image = stored.image});
  }
  for (const auto& stored : plan.tags) {
    tx.write(keys::tag(stored.tag), stored);
    tx.emit(msg::ImageTagged{
        .project_id = owner_of(stored.image_id), .image_id = stored.image_id, .tag = stored.tag});
  }
  for (const auto& removed : plan.tags_removed) {
    tx.remove(keys::tag(removed.tag));
    tx.emit(msg::ImageUntagged{.project_id = owner_of(removed.image_id),
                               .image_id = removed.image_id,
                               .tag = removed.tag});
  }
  for (const auto& [stored, is_announced] : plan.volumes) {
    tx.write(keys::volume(stored.node.node_id), stored);
    if (!is_announced) continue;
    tx.emit(msg::VolumeChanged{node_volume(stored)});
    tx.emit(msg::VolumePlaced{.volume = stored.volume,
                              .is_ready = stored.state == VolumeState::ready,
                              .reason = stored.reason,
                              .iso_id = stored.node.iso_id,
                              .disk = content_of(stored)});
  }
}

}  // namespace nucleus::image_store

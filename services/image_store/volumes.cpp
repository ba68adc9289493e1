// Volumes: each node has one, a clone of its image, brought to what its definition wants.
#include "core/log/log.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/service.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds clone_deadline{120'000};

/// As its owner sees it: without our files' names.
msg::NodeVolume told(const StoredVolume& stored) {
  return {.node_id = stored.node.node_id,
          .cluster_id = stored.node.cluster_id,
          .project_id = stored.node.project_id,
          .image_id = stored.node.image_id,
          .disk_gb = stored.node.disk_gb,
          .format = stored.volume.format,
          .is_ready = stored.is_ready,
          .reason = stored.reason};
}

}  // namespace

core::Result<void> Service::take_node(const msg::NodeDefined& event, core::Context& context) {
  auto tx = store_.begin(context);
  const auto& node = event.node;
  const auto* known = tx.read(keys::volume(node.node_id));
  StoredVolume stored = known ? *known : StoredVolume{};
  const bool is_iso_changed = known && known->node.iso_id != node.iso_id;
  stored.node = node;
  stored.volume.node_id = node.node_id;
  if (stored.is_ready && is_iso_changed) {
    stored.volume.iso_path = iso_path(node);
    tell(tx, stored);
  } else {
    tx.write(keys::volume(node.node_id), stored);
  }
  if (!stored.is_ready) pending_[node.node_id] = 0;
  auto done = tx.commit();
  look_at(node.node_id);
  return done;
}

core::Result<void> Service::forget_cluster(const msg::ClusterRemoved& event,
                                           core::Context& context) {
  auto tx = store_.begin(context);
  for (const auto& node_id : event.nodes) {
    const auto* known = tx.read(keys::volume(node_id));
    if (!known) continue;
    StoredVolume stored = *known;
    stored.is_removed = true;
    tx.write(keys::volume(node_id), std::move(stored));
    pending_[node_id] = 0;
  }
  return tx.commit();
}

core::Result<void> Service::forget_node(const msg::NodeRemoved& event, core::Context& context) {
  auto tx = store_.begin(context);
  const auto key = keys::volume(event.node.node_id);
  const auto* known = tx.read(key);
  if (!known) return {};
  StoredVolume stored = *known;
  stored.is_removed = true;
  tx.write(key, std::move(stored));
  pending_[event.node.node_id] = 0;
  return tx.commit();
}

core::Result<msg::NodeVolumes> Service::list_volumes(const msg::ListVolumes& request,
                                                     core::Context&) {
  msg::NodeVolumes reply;
  store_.for_each<StoredVolume>(keys::volumes(), [&](const StoredVolume& stored) {
    if (stored.is_removed || stored.node.cluster_id != request.cluster_id) return;
    reply.volumes.push_back(told(stored));
  });
  return reply;
}

void Service::look_at_all(core::Context&) {
  std::vector<msg::NodeId> due;
  for (const auto& [node_id, not_before_ms] : pending_)
    if (not_before_ms <= loop_.steady_ms()) due.push_back(node_id);
  for (const auto& node_id : due) look_at(node_id);
}

/// Takes the next step for this volume, unless one is under way.
void Service::look_at(const msg::NodeId& node_id) {
  const auto* stored = store_.read(keys::volume(node_id));
  if (!stored) {
    pending_.erase(node_id);
    return;
  }
  if (!pending_.contains(node_id) || busy_.contains(node_id) || !store_.is_loaded()) return;
  struct Nothing {};
  if (stored->is_removed) {
    busy_.insert(node_id);
    return workers_.run<Nothing>(
        loop_, clone_deadline,
        [driver = driver_, node_id]() -> core::Result<Nothing> {
          if (auto gone = driver->remove_volume(node_id); !gone)
            return std::unexpected(gone.error());
          return Nothing{};
        },
        [this, node_id](core::Result<Nothing> gone) {
          busy_.erase(node_id);
          pending_[node_id] = loop_.steady_ms() + config_.retry_ms;
          if (!gone || !store_.is_loaded()) return;
          core::Context context = bus_.context();
          auto tx = store_.begin(context);
          tx.remove(keys::volume(node_id));
          (void)tx.commit();
          pending_.erase(node_id);
        });
  }
  auto plan = plan_clone(stored->node);
  if (!plan) return end_clone(node_id, std::unexpected(plan.error()));
  busy_.insert(node_id);
  workers_.run<msg::Volume>(
      loop_, clone_deadline, [driver = driver_, plan = *plan] { return driver->clone(plan); },
      [this, node_id](core::Result<msg::Volume> volume) {
        busy_.erase(node_id);
        end_clone(node_id, std::move(volume));
      });
}

core::Result<CloneRequest> Service::plan_clone(const msg::Node& node) const {
  CloneRequest request{.node_id = node.node_id, .disk_gb = node.disk_gb};
  if (node.image_id.empty()) return request;
  const auto* stored = visible_image(node.image_id, node.project_id);
  if (!stored)
    return core::refuse(ErrorCode::not_found, "waits for image " + msg::shown(node.image_id.value) +
                                                  ", which is not there");
  request.image = driver_->files_of(node.image_id);
  request.image_format = stored->image.format == msg::ImageFormat::qcow2 ? "qcow2" : "raw";
  request.image_bytes = stored->image.virtual_bytes;
  return request;
}

void Service::end_clone(const msg::NodeId& node_id, core::Result<msg::Volume> volume) {
  const auto* known = store_.read(keys::volume(node_id));
  if (!known || known->is_removed || !store_.is_loaded()) return;
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  StoredVolume stored = *known;
  if (!volume) {
    pending_[node_id] = loop_.steady_ms() + config_.retry_ms;
    if (stored.reason == volume.error().detail) return;
    stored.reason = volume.error().detail;
    core::log::warning("volume_not_ready", {{"node", node_id.value}, {"reason", stored.reason}});
  } else {
    pending_.erase(node_id);
    stored.is_ready = true;
    stored.reason.clear();
    stored.volume = *volume;
    stored.volume.iso_path = iso_path(stored.node);
    if (const auto* image = store_.read(keys::image(stored.node.image_id)))
      stored.volume.cmdline = image->image.cmdline;
  }
  tell(tx, stored);
  (void)tx.commit();
  show_counts();
}

void Service::tell(core::Transaction& tx, StoredVolume stored) {
  tx.emit(msg::VolumeChanged{told(stored)});
  tx.emit(msg::VolumePlaced{
      .volume = stored.volume, .is_ready = stored.is_ready, .reason = stored.reason});
  const auto key = keys::volume(stored.node.node_id);
  tx.write(key, std::move(stored));
}

/// Empty where none is attached, or it is not to be seen from this project.
std::string Service::iso_path(const msg::Node& node) const {
  if (node.iso_id.empty() || !visible_image(node.iso_id, node.project_id)) return {};
  return driver_->files_of(node.iso_id).disk;
}

const StoredImage* Service::visible_image(const msg::ImageId& image_id,
                                          const msg::ProjectId& project_id) const {
  const std::string project = image_id.value.substr(0, image_id.value.find('/'));
  if (project != "public" && project != project_id.value) return nullptr;
  return store_.read(keys::image(image_id));
}

}  // namespace nucleus::image_store

// Images that are made of nodes' disks: a generation is written as one file, and published like an
// upload. A generation never changes, so the node may run meanwhile.
#include "services/image_store/generations.hpp"
#include "services/image_store/image_rules.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/quota.hpp"
#include "services/image_store/uploads.hpp"

namespace nucleus::image_store {

using core::ErrorCode;
using msg::UploadState;

core::Result<const StoredVolume*> Uploads::check_save(const msg::SaveImage& request) const {
  const auto* stored = view_.volume(request.node_id);
  if (!stored || stored->state == VolumeState::removed ||
      !msg::sees(request.viewer, stored->node.project_id))
    return core::refuse(ErrorCode::not_found, "no such node: " + msg::shown(request.node_id.value),
                        "node_id");
  if (auto known = check_generation(*stored, request.generation); !known)
    return std::unexpected(known.error());
  if (msg::find_base(stored->volume, msg::BaseFileKind::kernel))
    return core::refuse(ErrorCode::wrong_state,
                        "the node boots by the kernel of its image, which is not on its disk",
                        "node_id");
  if (auto allowed = check_new_image(view_, request.image_id, msg::ImageFormat::qcow2,
                                     stored->volume.firmware);
      !allowed)
    return std::unexpected(allowed.error());
  if (auto allowed = images_.check_not_publishing(request.image_id); !allowed)
    return std::unexpected(allowed.error());
  return stored;
}

void Uploads::save_image(const msg::SaveImage& request, core::Context& context,
                         core::Responder<msg::UploadTicket> respond) {
  const auto stored = check_save(request);
  if (!stored) return respond(std::unexpected(stored.error()));
  const StoredUpload* earlier = nullptr;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (upload.state == UploadState::receiving && upload.node_id == request.node_id &&
        upload.generation == request.generation && upload.image_id == request.image_id)
      earlier = &upload;
  });
  if (earlier) return respond(fetch_reply(*earlier));
  const auto project_id = owner_of(request.image_id);
  if (auto allowed = check_open_uploads(project_id); !allowed)
    return respond(std::unexpected(allowed.error()));
  if (auto allowed = check_quota(view_, store_, project_id, 1, config_.project_bytes_max); !allowed)
    return respond(std::unexpected(allowed.error()));
  const auto now = context.now_unix_s();
  begin_fetch({.upload_id = context.new_id(),
               .image_id = request.image_id,
               .format = msg::ImageFormat::qcow2,
               .begun_unix_s = now,
               .expires_unix_s = now + config_.upload_keep_s,
               .firmware = (*stored)->volume.firmware,
               .person_id = request.person_id,
               .person_uid = request.person_uid,
               .node_id = request.node_id,
               .generation = request.generation},
              context, respond);
}

/// `lock` is held while the file is written. What a killed process wrote is written again.
void Uploads::start_flattening(const StoredUpload& upload, std::uint64_t bytes_max,
                               std::shared_ptr<void> lock) {
  const auto* stored = view_.volume(upload.node_id);
  const auto* generation = stored ? find_generation(*stored, upload.generation) : nullptr;
  if (!generation || stored->state == VolumeState::removed)
    return end_fetch(upload.upload_id, std::unexpected(msg::invalid(
                                           "generation", "the disk has no generation " +
                                                             std::to_string(upload.generation))));
  const FlattenRequest request{.folder = generation->folder,
                               .to = folder_.path_of(upload.upload_id),
                               .size_bytes_max = bytes_max,
                               .deadline = core::Milliseconds{config_.work_deadline_ms}};
  const auto pin = images_.pin(folders_of(*stored, upload.generation));
  is_flattening_ = true;
  workers_.run<std::uint64_t>(
      loop_, core::Milliseconds{config_.work_deadline_ms},
      [driver = driver_, folder = folder_, request, lock = std::move(lock),
       pin]() -> core::Result<std::uint64_t> {
        if (auto created = folder.create(); !created) return std::unexpected(created.error());
        return driver->flatten(request);
      },
      [this, id = upload.upload_id](const core::Result<std::uint64_t>& size) {
        is_flattening_ = false;
        end_fetch(id, size);
        start_fetches();
      });
}

}  // namespace nucleus::image_store

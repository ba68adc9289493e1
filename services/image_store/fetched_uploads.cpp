// Uploads whose bytes the image store gets itself: from a URL, or from the disk of a node.
#include <algorithm>

#include "services/image_store/image_rules.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/quota.hpp"
#include "services/image_store/upload_rights.hpp"
#include "services/image_store/uploads.hpp"

namespace nucleus::image_store {

using core::ErrorCode;
using msg::UploadState;

msg::UploadTicket fetch_reply(const StoredUpload& upload) {
  return {.upload_id = upload.upload_id, .expires_unix_s = upload.expires_unix_s};
}

void Uploads::begin_fetch(const StoredUpload& upload, core::Context& context,
                          const core::Responder<msg::UploadTicket>& respond) {
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload.upload_id), upload);
  respond(tx.commit(fetch_reply(upload)));
  store_.when_durable([this](const core::Result<void>& durable) {
    if (durable) start_fetches();
  });
}

/// Those that run are locked. The oldest first.
void Uploads::start_fetches() {
  if (!store_.is_loaded()) return;
  std::vector<StoredUpload> waiting;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (upload.state == UploadState::receiving && (upload.is_fetched() || upload.is_of_disk()) &&
        !tried_.contains(upload.upload_id))
      waiting.push_back(upload);
  });
  std::ranges::stable_sort(waiting, {}, &StoredUpload::begun_unix_s);
  for (const auto& upload : waiting) {
    const auto owner = owner_of(upload.image_id);
    if (upload.is_of_disk() ? is_flattening_ : !fetches_.has_room_for(owner)) continue;
    auto lock = locks_->try_lock(upload.upload_id);
    if (!lock) continue;
    const auto left = quota_left(view_, store_, owner, config_.project_bytes_max, upload.upload_id);
    const auto bytes_max = std::min(left, config_.upload_bytes_max);
    tried_.insert(upload.upload_id);
    if (upload.is_of_disk())
      start_flattening(upload, bytes_max, std::move(lock));
    else
      fetches_.start(upload, folder_.path_of(upload.upload_id), bytes_max, std::move(lock));
  }
}

/// What failed for now is tried again after `fetch_retry_ms`.
void Uploads::end_fetch(const std::string& upload_id, const core::Result<std::uint64_t>& fetched) {
  const auto* found = store_.is_loaded() ? store_.read(keys::upload(upload_id)) : nullptr;
  if (!found) return;
  auto upload = *found;
  auto context = bus_.context();
  if (!fetched && fetched.error().code == ErrorCode::invalid_argument)
    return images_.refuse_upload(upload, fetched.error(), context);
  if (fetched) {
    auto lock = locks_->try_lock(upload_id);
    if (!lock) return;  // it is fetched again already
    return check_upload_right(
        bus_, upload, [this, upload, size = *fetched, lock](const core::Result<void>& right) {
          if (right) return finish_fetch(upload, size);
          auto later = bus_.context();
          if (right.error().code == ErrorCode::forbidden)
            images_.refuse_upload(upload, right.error(), later);
        });  // else it is tried again
  }
  upload.reason = fetched.error().detail;
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload_id), upload);
  (void)tx.commit();  // it is tried again in any case
}

void Uploads::finish_fetch(StoredUpload upload, std::uint64_t size_bytes) {
  if (!store_.is_loaded() || !store_.read(keys::upload(upload.upload_id))) return;
  upload.reason.clear();
  upload.size_bytes = size_bytes;
  upload.state = UploadState::checking;
  auto context = bus_.context();
  auto tx = store_.begin(context);
  tx.write(keys::upload(upload.upload_id), upload);
  if (!tx.commit()) return;  // the record is as it was, and is tried again
  finish(std::move(upload), context, [](const core::Result<msg::Image>&) {});
}

}  // namespace nucleus::image_store

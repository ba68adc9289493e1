#include "services/image_store/quota.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "services/image_store/keys.hpp"

namespace nucleus::image_store {

namespace {

std::uint64_t image_bytes(const View& view, const msg::ProjectId& project_id) {
  std::uint64_t sum = 0;
  const msg::ImageId first{project_id.value + "/"};
  for (auto entry = view.images().lower_bound(first);
       entry != view.images().end() && owner_of(entry->first) == project_id; ++entry)
    sum += entry->second.image.size_bytes;
  return sum;
}

std::uint64_t upload_bytes(const core::Store& store, const msg::ProjectId& project_id,
                           const std::string& except) {
  std::uint64_t sum = 0;
  store.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    const bool is_counted =
        upload.state == msg::UploadState::receiving || upload.state == msg::UploadState::checking;
    if (is_counted && owner_of(upload.image_id) == project_id && upload.upload_id != except)
      sum += upload.size_bytes;
  });
  return sum;
}

std::uint64_t used_bytes(const View& view, const core::Store& store,
                         const msg::ProjectId& project_id, const std::string& except) {
  return image_bytes(view, project_id) + upload_bytes(store, project_id, except);
}

}  // namespace

core::Result<void> check_quota(const View& view, const core::Store& store,
                               const msg::ProjectId& project_id, std::uint64_t size_bytes,
                               std::uint64_t limit_bytes, const std::string& upload_id) {
  if (project_id.value == "public") return {};
  const auto used = used_bytes(view, store, project_id, upload_id);
  if (used <= limit_bytes && size_bytes <= limit_bytes - used) return {};
  return core::refuse(
      core::ErrorCode::wrong_state,
      fmt::format("the images of project {} may have {} bytes: {} are used, {} asked",
                  project_id.value, limit_bytes, used, size_bytes),
      "size_bytes");
}

std::uint64_t quota_left(const View& view, const core::Store& store,
                         const msg::ProjectId& project_id, std::uint64_t limit_bytes,
                         const std::string& upload_id) {
  if (project_id.value == "public") return UINT64_MAX;
  return limit_bytes - std::min(limit_bytes, used_bytes(view, store, project_id, upload_id));
}

}  // namespace nucleus::image_store

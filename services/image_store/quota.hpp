// How much of a project's quota its images and uploads take: functions over the records in memory.
#pragma once

#include "core/result.hpp"
#include "core/state/store.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

/// `wrong_state` (field `size_bytes`) if `size_bytes` more would exceed `limit_bytes`. Counted are
/// the project's images, and what its uploads announced; not `upload_id`'s own. Public images have
/// no quota.
core::Result<void> check_quota(const View& view, const core::Store& store,
                               const msg::ProjectId& project_id, std::uint64_t size_bytes,
                               std::uint64_t limit_bytes, const std::string& upload_id = {});

/// What the project may add to its images, by the same count.
std::uint64_t quota_left(const View& view, const core::Store& store,
                         const msg::ProjectId& project_id, std::uint64_t limit_bytes,
                         const std::string& upload_id);

}  // namespace nucleus::image_store

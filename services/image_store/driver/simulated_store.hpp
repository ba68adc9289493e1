// A store without files, for simulated hosts. Uploads are real files even there: they are checked
// like in every store, and not kept.
#pragma once

#include <mutex>
#include <set>

#include "services/image_store/driver/store_driver.hpp"

namespace nucleus::image_store {

class SimulatedStore final : public StoreDriver {
 public:
  core::Result<CheckedFile> stage(const StageRequest& request) override {
    CheckedFile checked;
    if (request.is_upload) {
      auto found = copy_checked(request.from.disk, {}, request.format, request.limits);
      if (!found) return found;
      if (auto same = check_digests(*found, request.md5, request.sha256); !same)
        return std::unexpected(same.error());
      checked = *found;
    }
    const std::scoped_lock lock{mutex_};
    images_.insert(request.folder);
    return checked;
  }
  core::Result<void> remove_unfinished() override { return {}; }
  ImageFiles files_of(const StoredImage&) const override { return {}; }
  core::Result<void> remove_image(const std::string& folder) override {
    const std::scoped_lock lock{mutex_};
    images_.erase(folder);
    return {};
  }
  core::Result<msg::Volume> clone(const CloneRequest& request) override {
    const std::scoped_lock lock{mutex_};
    volumes_.insert(request.node_id);
    return msg::Volume{.node_id = request.node_id};
  }
  core::Result<void> remove_volume(const msg::NodeId& node_id) override {
    const std::scoped_lock lock{mutex_};
    volumes_.erase(node_id);
    return {};
  }
  core::Result<std::vector<msg::NodeId>> list_volumes() override {
    const std::scoped_lock lock{mutex_};
    return std::vector<msg::NodeId>(volumes_.begin(), volumes_.end());
  }

 private:
  std::mutex mutex_ = {};
  std::set<std::string> images_ = {};
  std::set<msg::NodeId> volumes_ = {};
};

}  // namespace nucleus::image_store

// A store of names alone, for simulated hosts: no root, no disk.
#pragma once

#include <mutex>
#include <set>

#include "services/image_store/driver/store_driver.hpp"

namespace nucleus::image_store {

class SimulatedStore final : public StoreDriver {
 public:
  core::Result<void> publish(const msg::ImageId& image_id, const ImageFiles&) override {
    const std::scoped_lock lock{mutex_};
    images_.insert(image_id);
    return {};
  }
  ImageFiles files_of(const msg::ImageId&) const override { return {}; }
  core::Result<void> remove_image(const msg::ImageId& image_id) override {
    const std::scoped_lock lock{mutex_};
    images_.erase(image_id);
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
  std::set<msg::ImageId> images_ = {};
  std::set<msg::NodeId> volumes_ = {};
};

}  // namespace nucleus::image_store

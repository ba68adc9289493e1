// The store as plain files: images/PROJECT/NAME/{disk,kernel,initramfs}, and a qcow2 overlay for
// each node. Works on every file system.
#pragma once

#include <filesystem>

#include "services/image_store/driver/store_driver.hpp"

namespace nucleus::image_store {

class Qcow2Store final : public StoreDriver {
 public:
  /// Both directories are made where they are missing.
  Qcow2Store(std::filesystem::path images, std::filesystem::path volumes);
  core::Result<void> publish(const msg::ImageId& image_id, const ImageFiles& from) override;
  ImageFiles files_of(const msg::ImageId& image_id) const override;
  core::Result<void> remove_image(const msg::ImageId& image_id) override;
  core::Result<msg::Volume> clone(const CloneRequest& request) override;
  core::Result<void> remove_volume(const msg::NodeId& node_id) override;
  core::Result<std::vector<msg::NodeId>> list_volumes() override;

 private:
  std::filesystem::path images_;
  std::filesystem::path volumes_;
};

}  // namespace nucleus::image_store

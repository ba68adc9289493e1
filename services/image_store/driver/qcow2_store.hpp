// A store of plain files on any file system: images/FOLDER/{disk,kernel,initramfs}, and a qcow2
// overlay for each node. No name that a tenant chose is part of a path.
#pragma once

#include <filesystem>
#include <mutex>
#include <set>

#include "services/image_store/driver/store_driver.hpp"

namespace nucleus::image_store {

class Qcow2Store final : public StoreDriver {
 public:
  /// Missing directories are created when they are first written to.
  Qcow2Store(std::filesystem::path images, std::filesystem::path volumes);
  core::Result<StagedFiles> stage(const StageRequest& request) override;
  core::Result<void> remove_unfinished() override;
  ImageFiles files_of(const StoredImage& image) const override;
  core::Result<void> remove_image(const std::string& folder) override;
  core::Result<msg::Volume> clone(const CloneRequest& request) override;
  core::Result<void> remove_volume(const msg::NodeId& node_id) override;

 private:
  core::Result<StagedFiles> copy_in(const StageRequest& request);

  std::filesystem::path images_;
  std::filesystem::path volumes_;
  std::mutex mutex_ = {};
  std::set<std::string> staging_ = {};  // folders; guarded by mutex_
};

}  // namespace nucleus::image_store

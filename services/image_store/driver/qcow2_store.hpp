// A store of plain files on any file system: images/FOLDER/{disk,kernel,initramfs}, and for each
// node a qcow2 overlay, volumes/NODE.qcow2, on the layers of its generations, volumes/FOLDER.layer.
// No name that a tenant chose is part of a path.
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
  core::Result<std::uint64_t> seal(const SealRequest& request) override;
  core::Result<void> roll_back(const RollBackRequest& request) override;
  core::Result<void> adopt(const AdoptRequest& request) override;
  core::Result<FileDigest> merge(const MergeRequest& request) override;
  core::Result<std::uint64_t> flatten(const FlattenRequest& request) override;

 private:
  core::Result<StagedFiles> copy_in(const StageRequest& request);
  std::filesystem::path disk_of(const msg::NodeId& node_id) const;
  std::filesystem::path layer_of(const std::string& folder) const;
  core::Result<void> put_in_place(const std::filesystem::path& next,
                                  const std::filesystem::path& disk) const;
  // qcow2_merge.cpp
  core::Result<FileDigest> merge_layer(const MergeRequest& request) const;
  core::Result<FileDigest> put_sent_copy(const MergeRequest& request);

  std::filesystem::path images_;
  std::filesystem::path volumes_;
  std::mutex disks_mutex_ = {};   // one step on a disk at a time: a late one must not overtake
  std::mutex merges_mutex_ = {};  // one merge at a time
  std::mutex mutex_ = {};
  std::set<std::string> staging_ = {};  // folders; guarded by mutex_
};

}  // namespace nucleus::image_store

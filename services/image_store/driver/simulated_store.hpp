// A store without files, for simulated hosts. Uploads are real files: they are checked as in every
// store, but not kept.
#pragma once

#include "services/image_store/driver/store_driver.hpp"

namespace nucleus::image_store {

class SimulatedStore : public StoreDriver {
 public:
  core::Result<StagedFiles> stage(const StageRequest& request) override {
    if (!request.is_upload) return StagedFiles{};
    auto checked = check_file(request.from.disk, request.format, request.limits);
    if (!checked) return std::unexpected(checked.error());
    if (auto same = check_expected(*checked, expected_of(request)); !same)
      return std::unexpected(same.error());
    return StagedFiles{.disk = *checked};
  }
  core::Result<void> remove_unfinished() override { return {}; }
  ImageFiles files_of(const StoredImage&) const override { return {}; }
  core::Result<void> remove_image(const std::string&) override { return {}; }
  core::Result<msg::Volume> clone(const CloneRequest& request) override {
    return msg::Volume{.node_id = request.node_id, .disk_bytes = disk_bytes_of(request)};
  }
  core::Result<void> remove_volume(const msg::NodeId&) override { return {}; }
  core::Result<std::uint64_t> seal(const SealRequest&) override { return 0; }
  core::Result<void> roll_back(const RollBackRequest&) override { return {}; }
  core::Result<void> adopt(const AdoptRequest&) override { return {}; }
  core::Result<FileDigest> merge(const MergeRequest&) override { return FileDigest{}; }
  core::Result<std::uint64_t> flatten(const FlattenRequest&) override {
    return std::unexpected(msg::invalid("node_id", "a simulated store has no disks"));
  }
};

}  // namespace nucleus::image_store

// The generations of nodes' disks: pure functions over the view.
#pragma once

#include <optional>

#include "core/result.hpp"
#include "messages/layers.hpp"
#include "services/image_store/driver/store_driver.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

/// Null if the disk has no such generation.
const StoredGeneration* find_generation(const StoredVolume& stored, std::uint64_t number);

/// `not_found` if the disk has no such generation.
core::Result<void> check_generation(const StoredVolume& stored, std::uint64_t number);

/// A generation and those that it continues, oldest first; empty for 0.
std::vector<const StoredGeneration*> chain_of(const StoredVolume& stored, std::uint64_t number);

/// The folders that the files of a generation are in, with that of the image.
std::vector<std::string> folders_of(const StoredVolume& stored, std::uint64_t number);

/// What hosts with volumes of their own need of the generations that the disk continues.
void set_layers(StoredVolume& stored);

/// What is reported of the disk.
msg::DiskContent content_of(const StoredVolume& stored);

/// Records the work, with `folder` for what it makes. Empty if it is recorded already.
core::Result<Plan> plan_disk_work(const View& view, const msg::WorkOnDisk& request,
                                  const std::string& folder, std::int64_t now_unix_s);

/// The same for a save whose layer a host sends. It takes the place of an earlier such work.
core::Result<Plan> plan_received_layer(const View& view, const msg::ReceiveLayer& request,
                                       const std::string& folder, std::int64_t now_unix_s);

// How to do the work that is under way.
AdoptRequest adopt_request(const StoredVolume& stored, const StoreDriver& driver);
SealRequest seal_request(const StoredVolume& stored);
/// None if nothing continues what is removed.
std::optional<MergeRequest> merge_request(const StoredVolume& stored, const StoreDriver& driver);
core::Result<RollBackRequest> roll_back_request(const StoredVolume& stored,
                                                const StoreDriver& driver);

/// The generations that this request removes, if it is allowed.
std::vector<std::uint64_t> numbers_removed(const StoredVolume& stored,
                                           const msg::WorkOnDisk& request);

/// Of a layer whose digest is not asked for.
inline core::Result<FileDigest> digest_of_size(const core::Result<std::uint64_t>& size_bytes) {
  if (!size_bytes) return std::unexpected(size_bytes.error());
  return FileDigest{.size_bytes = *size_bytes};
}

/// The work was done, or failed. `made` is the layer that a save or a merge has made. Nothing if
/// the node was removed, or other work began meanwhile.
std::optional<Plan> plan_disk_work_end(const View& view, const msg::NodeId& node_id,
                                       const std::string& work_id,
                                       const core::Result<FileDigest>& made);

}  // namespace nucleus::image_store

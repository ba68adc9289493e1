// The storage as the image store uses it: images copied in, volumes cloned and removed. Calls
// block, so they run on workers; each may be repeated, or cut off at any point.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>

#include "services/image_store/config.hpp"
#include "services/image_store/driver/checked_copy.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

/// Paths of an image's files; empty = it has no such file.
struct ImageFiles {
  std::string disk = {};
  std::string kernel = {};
  std::string initramfs = {};
};

struct StageRequest {
  std::string folder = {};  // where to put the files; no other image ever has it
  msg::ImageFormat format = msg::ImageFormat::unknown;
  ImageFiles from = {};  // files to copy
  bool is_upload = false;
  bool is_final = false;         // nothing writes the disk any more
  std::uint64_t size_bytes = 0;  // that the disk must have; 0 = not given
  std::string md5 = {};          // that the disk must have, hex in either case; empty = not given
  std::string sha256 = {};       // likewise
  FileLimits limits = {};
};

/// What the disk must be.
inline Expected expected_of(const StageRequest& request) {
  return {.size_bytes = request.size_bytes, .md5 = request.md5, .sha256 = request.sha256};
}

/// What was staged: the disk, checked, and the boot files.
struct StagedFiles {
  CheckedFile disk = {};
  FileDigest kernel = {};
  FileDigest initramfs = {};
};

struct CloneRequest {
  msg::NodeId node_id = {};
  std::uint64_t disk_gb = 0;      // GiB; the image's own size if that is larger
  ImageFiles image = {};          // all empty: an empty disk
  std::string image_format = {};  // qcow2 or raw
  std::uint64_t image_bytes = 0;  // of the image's disk
};

/// The size of the node's disk; 0 if it needs none: an image that is a kernel alone runs from
/// memory.
inline std::uint64_t disk_bytes_of(const CloneRequest& request) {
  const bool is_kernel_alone = request.image.disk.empty() && !request.image.kernel.empty();
  return is_kernel_alone ? 0 : std::max(request.disk_gb << 30, request.image_bytes);
}

/// Makes what a node has written a layer of its own.
struct SealRequest {
  msg::NodeId node_id = {};
  std::string folder = {};  // of the layer; no other image and no other layer ever has it
  std::uint64_t disk_bytes = 0;
};

/// Lets disks of the store continue a layer that was staged like an image.
struct AdoptRequest {
  std::string folder = {};         // of the layer
  std::string parent_folder = {};  // of the layer that it continues; empty = `image`
  std::string image = {};          // path of the image's disk; empty = an empty disk
  std::string image_format = {};
};

/// Lets a layer take over what the layers below it saved, down to its new parent. What continues it
/// finds the same content as before.
struct MergeRequest {
  std::string folder = {};         // of the layer
  std::string parent_folder = {};  // of the layer that it continues then; empty = `image`
  std::string image = {};          // path of the image's disk; empty = an empty disk
  std::string image_format = {};
  std::string sent_folder = {};  // for the layer as hosts read it; empty = they do not
  std::uint64_t disk_bytes = 0;
  std::chrono::milliseconds deadline{};
};

/// Discards what a node has written.
struct RollBackRequest {
  msg::NodeId node_id = {};
  std::string folder = {};  // of the layer that the disk is to continue; empty = `image`
  std::string image = {};   // path of the image's disk; empty = an empty disk
  std::string image_format = {};
  std::uint64_t disk_bytes = 0;
};

/// Writes the disk that a layer is the last part of, as one qcow2 file that names no other.
struct FlattenRequest {
  std::string folder = {};  // of the layer
  std::string to = {};      // path of the new file
  std::uint64_t size_bytes_max = 0;
  std::chrono::milliseconds deadline{};
};

class StoreDriver {
 public:
  virtual ~StoreDriver() = default;
  /// Puts the files where only the store can write, and checks the disk there: its size, its
  /// header, its digests. The files of `from` stay. If it fails, nothing else is left.
  virtual core::Result<StagedFiles> stage(const StageRequest& request) = 0;
  /// Removes what `stage` left behind when an earlier process was killed.
  virtual core::Result<void> remove_unfinished() = 0;
  /// Where an image's files are. Does not block.
  virtual ImageFiles files_of(const StoredImage& image) const = 0;
  /// Removes an image or a layer. Succeeds if the folder does not exist.
  virtual core::Result<void> remove_image(const std::string& folder) = 0;

  /// Makes the node's volume, unless it exists. The volume's path is empty if the node has no disk.
  virtual core::Result<msg::Volume> clone(const CloneRequest& request) = 0;
  /// Succeeds if there is no such volume.
  virtual core::Result<void> remove_volume(const msg::NodeId& node_id) = 0;

  // Of a volume that no domain uses. If they fail, the disk is as it was; `unavailable`: it is not,
  // and the call must be repeated until it succeeds.
  /// Returns the size of the layer's file.
  virtual core::Result<std::uint64_t> seal(const SealRequest& request) = 0;
  virtual core::Result<void> roll_back(const RollBackRequest& request) = 0;

  /// May be repeated.
  virtual core::Result<void> adopt(const AdoptRequest& request) = 0;
  /// May be repeated. Returns the file that hosts read if there is one, else the layer's size.
  virtual core::Result<FileDigest> merge(const MergeRequest& request) = 0;
  /// Returns the size of the new file; what a killed process left at its path is overwritten.
  /// `invalid_argument`: it would be larger than `size_bytes_max`.
  virtual core::Result<std::uint64_t> flatten(const FlattenRequest& request) = 0;
};

/// The driver that `image_store.driver` names.
std::shared_ptr<StoreDriver> make_driver(const Config& config);

}  // namespace nucleus::image_store

// What the image store asks of the storage: images put in place, volumes cloned and removed. Calls
// block, so they run on workers; each may be repeated or cut off anywhere.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/image_store.hpp"

namespace nucleus::image_store {

/// Files of an image; empty = it has none of this kind.
struct ImageFiles {
  std::string disk = {};
  std::string kernel = {};
  std::string initramfs = {};
};

struct CloneRequest {
  msg::NodeId node_id = {};
  std::uint64_t disk_gb = 0;      // GiB; the image's own size where that is larger
  ImageFiles image = {};          // all empty: an empty disk
  std::string image_format = {};  // qcow2 or raw
  std::uint64_t image_bytes = 0;  // of the disk in it
};

class StoreDriver {
 public:
  virtual ~StoreDriver() = default;
  /// Copies the files into the store, whole or not at all. An image that is there is replaced:
  /// whether that may be is the caller's affair.
  virtual core::Result<void> publish(const msg::ImageId& image_id, const ImageFiles& from) = 0;
  /// Where a published image's files are, for each kind that it has.
  virtual ImageFiles files_of(const msg::ImageId& image_id) const = 0;
  /// One that is not there is success.
  virtual core::Result<void> remove_image(const msg::ImageId& image_id) = 0;

  /// Makes the node's volume; one that is there stays as it is. The volume's path is empty where a
  /// node has no disk of its own.
  virtual core::Result<msg::Volume> clone(const CloneRequest& request) = 0;
  /// One that is not there is success.
  virtual core::Result<void> remove_volume(const msg::NodeId& node_id) = 0;
  virtual core::Result<std::vector<msg::NodeId>> list_volumes() = 0;
};

}  // namespace nucleus::image_store

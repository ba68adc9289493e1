// What the image store stores; private to this room.
#pragma once

#include <string>

#include "messages/image_store.hpp"
#include "messages/registry.hpp"

namespace nucleus::image_store {

struct StoredImage {
  msg::Image image = {};
  bool has_disk = false;
  bool has_kernel = false;
  bool has_initramfs = false;
  NUCLEUS_FIELDS(image, has_disk, has_kernel, has_initramfs);
};

/// A place that was given for an image, and not used yet.
struct StoredUpload {
  std::string upload_id = {};
  msg::ImageId image_id = {};
  msg::ImageFormat format = msg::ImageFormat::unknown;
  std::int64_t begun_unix_s = 0;
  NUCLEUS_FIELDS(upload_id, image_id, format, begun_unix_s);
};

/// A node's volume: what it shall be, and whether it is.
struct StoredVolume {
  msg::Node node = {};
  msg::Volume volume = {};
  bool is_ready = false;
  std::string reason = {};  // why not
  bool is_removed = false;  // its cluster is gone: the file goes, then this record
  NUCLEUS_FIELDS(node, volume, is_ready, reason, is_removed);
};

}  // namespace nucleus::image_store

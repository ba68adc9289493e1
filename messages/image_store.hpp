// The image store's messages: images that are published, and the volumes of nodes.
#pragma once

#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(ImageFormat, raw, qcow2, iso)

struct Image {
  ImageId image_id = {};  // public/NAME or PROJECT/NAME
  ImageFormat format = ImageFormat::unknown;
  std::uint64_t size_bytes = 0;     // of its file
  std::uint64_t virtual_bytes = 0;  // of the disk it holds
  std::string sha256 = {};          // hex
  std::string md5 = {};             // hex; for old clients
  std::string cmdline =
      {};  // direct boot where not empty: kernel and initramfs lie beside the image
  std::int64_t published_unix_s = 0;  // when it had passed its checks
  NUCLEUS_FIELDS(image_id, format, size_bytes, virtual_bytes, sha256, md5, cmdline,
                 published_unix_s);
};

/// A place to put an image's bytes; they never ride the bus.
struct UploadTicket {
  std::string upload_id = {};
  std::string path = {};  // write the bytes here, then say FinishUpload
  std::uint64_t size_bytes_max = 0;
  NUCLEUS_FIELDS(upload_id, path, size_bytes_max);
};

/// Asks for a place for an image. Refused where the name is taken, or is no name: public/x.iso,
/// demo/debian.
struct BeginUpload {
  static constexpr std::string_view topic = "image_store.begin-upload";
  using Reply = UploadTicket;
  ImageId image_id = {};
  ImageFormat format = ImageFormat::unknown;
  NUCLEUS_FIELDS(image_id, format);
};

/// The bytes are there: checks digest, size and format, and publishes. A failed check removes the
/// upload.
struct FinishUpload {
  static constexpr std::string_view topic = "image_store.finish-upload";
  using Reply = Image;
  std::string upload_id = {};
  std::string md5 = {};     // hex; empty = not said
  std::string sha256 = {};  // hex; empty = not said
  NUCLEUS_FIELDS(upload_id, md5, sha256);
};

/// Operator: publishes an image from files on the storage server (copied): a disk, and a kernel
/// with initramfs to boot it.
struct ImportImage {
  static constexpr std::string_view topic = "image_store.import-image";
  using Reply = Image;
  ImageId image_id = {};
  ImageFormat format = ImageFormat::unknown;
  std::string disk_path = {};  // empty = the image has no disk (boots from initramfs alone)
  std::string kernel_path = {};
  std::string initramfs_path = {};
  std::string cmdline = {};
  NUCLEUS_FIELDS(image_id, format, disk_path, kernel_path, initramfs_path, cmdline);
};

struct Images {
  std::vector<Image> images = {};  // by id
  NUCLEUS_FIELDS(images);
};

/// Public images and those of these projects.
struct ListImages {
  static constexpr std::string_view topic = "image_store.list-images";
  using Reply = Images;
  std::vector<ProjectId> projects = {};
  NUCLEUS_FIELDS(projects);
};

/// What a node's disk is, on the host that runs it.
struct Volume {
  NodeId node_id = {};
  std::string path = {};       // empty on a simulated store
  std::string format = {};     // qcow2 or raw, never guessed
  std::string kernel = {};     // direct boot, where the image says so; else empty
  std::string initramfs = {};  // the same
  std::string cmdline = {};    // the kernel's arguments
  std::string iso_path = {};   // empty = none
  NUCLEUS_FIELDS(node_id, path, format, kernel, initramfs, cmdline, iso_path);
};

struct NodeVolume {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  ImageId image_id = {};  // what it is a clone of; empty = it began empty
  std::uint64_t disk_gb = 0;
  std::string format = {};
  bool is_ready = false;
  std::string reason = {};  // where it is not ready
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, image_id, disk_gb, format, is_ready, reason);
};

struct NodeVolumes {
  std::vector<NodeVolume> volumes = {};  // by node
  NUCLEUS_FIELDS(volumes);
};

/// The volumes of a cluster's nodes.
struct ListVolumes {
  static constexpr std::string_view topic = "image_store.list-volumes";
  using Reply = NodeVolumes;
  ClusterId cluster_id = {};
  NUCLEUS_FIELDS(cluster_id);
};

/// Removes an image; `wrong_state` while a volume stands on it.
struct RemoveImage {
  static constexpr std::string_view topic = "image_store.remove-image";
  using Reply = Done;
  ImageId image_id = {};
  NUCLEUS_FIELDS(image_id);
};

/// Event: an image was published.
struct ImagePublished {
  static constexpr std::string_view topic = "image_store.image-published";
  ProjectId project_id = {};  // whose it is; `public` = everybody's, and everybody may hear of it
  Image image = {};
  NUCLEUS_FIELDS(project_id, image);
};

/// Event: a node's volume is there (again); or why it is not.
struct VolumeChanged {
  static constexpr std::string_view topic = "image_store.volume-changed";
  NodeVolume volume = {};
  NUCLEUS_FIELDS(volume);
};

/// Event beside each VolumeChanged, of no project: where the volume lies is told to services and
/// operators alone.
struct VolumePlaced {
  static constexpr std::string_view topic = "image_store.volume-placed";
  Volume volume = {};
  bool is_ready = false;
  std::string reason = {};  // where it is not ready
  NUCLEUS_FIELDS(volume, is_ready, reason);
};

}  // namespace nucleus::msg

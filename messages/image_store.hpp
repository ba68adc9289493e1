// The image store's messages: published images and the volumes of nodes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/common.hpp"
#include "messages/disks.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(ImageFormat, raw, qcow2, iso)

/// What starts the system on a disk. An ISO is started by the firmware of the node's disk.
NUCLEUS_ENUM(Firmware, bios, uefi)

struct Image {
  ImageId image_id = {};  // public/NAME or PROJECT/NAME
  ImageFormat format = ImageFormat::unknown;
  std::uint64_t size_bytes = 0;       // of the file
  std::uint64_t virtual_bytes = 0;    // of the disk in it
  std::string sha256 = {};            // hex
  std::string md5 = {};               // hex; for old clients
  std::string cmdline = {};           // kernel arguments, if the image has a kernel
  std::int64_t published_unix_s = 0;  // when it passed its checks
  Firmware firmware = Firmware::bios;
  std::vector<std::string> tags = {};  // PROJECT/NAME:TAG, in order
  NUCLEUS_FIELDS(image_id, format, size_bytes, virtual_bytes, sha256, md5, cmdline,
                 published_unix_s, firmware, tags);
};

/// Where to send an image's bytes; they never pass through the bus.
struct UploadTicket {
  std::string upload_id = {};
  std::string path = {};  // write the bytes to this file, then call FinishUpload
  std::uint64_t size_bytes_max = 0;
  std::string url = {};             // or send them here by tus 1.0; empty = not possible
  std::string ticket = {};          // a secret: the bearer token for `url`, and for nothing else
  std::int64_t expires_unix_s = 0;  // the upload is removed then, unless bytes arrive
  std::uint64_t offset_bytes = 0;   // already received, if an earlier upload goes on
  NUCLEUS_FIELDS(upload_id, path, size_bytes_max, url, ticket, expires_unix_s, offset_bytes);
};

/// Asks for a ticket for an upload. Refused if the id exists or is not PROJECT/NAME (demo/debian,
/// public/x.iso), and if the project's images would exceed their quota. If an upload of the same
/// image, format, size and SHA-256 is being received, it goes on with a new ticket. With
/// `source_url`, the image store fetches the bytes itself, and the reply has no ticket; the same
/// request again is about the same upload.
struct BeginUpload {
  static constexpr std::string_view topic = "image_store.begin-upload";
  using Reply = UploadTicket;
  ImageId image_id = {};
  ImageFormat format = ImageFormat::unknown;
  std::uint64_t size_bytes = 0;  // of the file; 0 = not known, then only by `path`
  std::string sha256 = {};       // hex, that the file must have; empty = not given
  std::string md5 = {};          // likewise
  std::string source_url = {};   // https://, or http:// with `sha256`; without user and password
  Firmware firmware = Firmware::bios;
  // The person whose right is checked again with each part and before publication; empty = no
  // check.
  PersonId person_id = {};
  std::string token_id = {};
  std::string person_uid = {};
  NUCLEUS_FIELDS(image_id, format, size_bytes, sha256, md5, source_url, firmware, person_id,
                 token_id, person_uid);
};

/// receiving: until the last byte has arrived. checking: read, checked and copied. published: it is
/// an image now. failed: `reason` says why.
NUCLEUS_ENUM(UploadState, receiving, checking, published, failed)

/// An upload, listed until it expires.
struct ImageUpload {
  std::string upload_id = {};
  ImageId image_id = {};
  ImageFormat format = ImageFormat::unknown;
  UploadState state = UploadState::unknown;
  std::uint64_t size_bytes = 0;    // of the file; 0 = not known
  std::uint64_t offset_bytes = 0;  // received
  std::string sha256 = {};         // hex, as given when it began
  std::string reason = {};         // why it failed, or waits
  std::int64_t begun_unix_s = 0;
  std::int64_t expires_unix_s = 0;
  std::string source_url = {};   // where the image store fetches it; empty = a client sends it
  NodeId node_id = {};           // whose disk it is made of; empty = a client or a server sends it
  std::uint64_t generation = 0;  // of that disk
  NUCLEUS_FIELDS(upload_id, image_id, format, state, size_bytes, offset_bytes, sha256, reason,
                 begun_unix_s, expires_unix_s, source_url, node_id, generation);
};

struct ImageUploads {
  std::vector<ImageUpload> uploads = {};  // by upload_id
  std::string next = {};                  // cursor of the next page; empty = the last page
  NUCLEUS_FIELDS(uploads, next);
};

/// The uploads of images that the viewer may see; of public ones only for an operator.
struct ListUploads {
  static constexpr std::string_view topic = "image_store.list-uploads";
  using Reply = ImageUploads;
  Viewer viewer = {};
  std::string upload_id = {};  // only this; empty = all
  ImageId image_id = {};       // only of this image; empty = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, upload_id, image_id, page);
};

/// Removes an upload and what was received; `not_found` if the viewer may not see it,
/// `wrong_state` while it is checked.
struct RemoveUpload {
  static constexpr std::string_view topic = "image_store.remove-upload";
  using Reply = Done;
  Viewer viewer = {};
  std::string upload_id = {};
  NUCLEUS_FIELDS(viewer, upload_id);
};

/// Publishes a generation of a node's disk as an image of its own, in the format qcow2, which has
/// nothing in common with the disk. The reply has no ticket; it is listed as an upload until it is
/// published. The same request again is about the same upload. `not_found`: the viewer does not see
/// the node, or its disk has no such generation.
struct SaveImage {
  static constexpr std::string_view topic = "image_store.save-image";
  using Reply = UploadTicket;
  Viewer viewer = {};
  NodeId node_id = {};
  std::uint64_t generation = 0;
  ImageId image_id = {};
  PersonId person_id = {};      // who asked for it; without the right when it is made, it fails
  std::string person_uid = {};  // of that person
  NUCLEUS_FIELDS(viewer, node_id, generation, image_id, person_id, person_uid);
};

/// Called after all bytes were written: copies the upload, checks the copy's size, format and
/// digests, and publishes it. A failed check removes the upload.
struct FinishUpload {
  static constexpr std::string_view topic = "image_store.finish-upload";
  using Reply = Image;
  std::string upload_id = {};
  std::string md5 = {};     // hex; empty = not given
  std::string sha256 = {};  // hex; empty = not given
  NUCLEUS_FIELDS(upload_id, md5, sha256);
};

/// Operator: publishes an image from copies of files on the storage server: a disk, a kernel with
/// initramfs to boot it directly, or both.
struct ImportImage {
  static constexpr std::string_view topic = "image_store.import-image";
  using Reply = Image;
  ImageId image_id = {};
  ImageFormat format = ImageFormat::unknown;
  std::string disk_path = {};  // empty = no disk: the node runs from its initramfs
  std::string kernel_path = {};
  std::string initramfs_path = {};
  std::string cmdline = {};
  Firmware firmware = Firmware::bios;
  NUCLEUS_FIELDS(image_id, format, disk_path, kernel_path, initramfs_path, cmdline, firmware);
};

struct Images {
  std::vector<Image> images = {};  // by image_id
  std::string next = {};           // cursor of the next page; empty = the last page
  NUCLEUS_FIELDS(images, next);
};

/// The public images and those that the viewer may see.
struct ListImages {
  static constexpr std::string_view topic = "image_store.list-images";
  using Reply = Images;
  Viewer viewer = {};
  ProjectId project_id = {};  // only PROJECT/..., or public/...; empty = all
  std::string name = {};      // only .../NAME, or what the tag .../NAME:TAG names; empty = all
  ImageFormat format = ImageFormat::unknown;  // only of this format; unknown = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, project_id, name, format, page);
};

/// layer: the part of a node's disk that one generation saved, a qcow2 file that names no other
/// file.
NUCLEUS_ENUM(BaseFileKind, disk, kernel, initramfs, iso, layer)

/// A file of an image, which a host with volumes of its own reads from the image store.
struct BaseFile {
  BaseFileKind kind = BaseFileKind::unknown;
  std::string content_id = {};   // of its image's publication: the content under it never changes
  std::string format = {};       // of a disk: qcow2 or raw, never guessed
  std::uint64_t size_bytes = 0;  // 0 = not known
  std::string sha256 = {};       // hex; empty = not known
  NUCLEUS_FIELDS(kind, content_id, format, size_bytes, sha256);
};

/// The disk and boot files of a node, as its host uses them: at the paths given, or, if it has
/// volumes of its own, read from the image store.
struct Volume {
  NodeId node_id = {};
  std::string path = {};            // empty on a simulated store
  std::string format = {};          // qcow2 or raw, never guessed
  std::string kernel = {};          // for direct boot; empty if the image has none
  std::string initramfs = {};       // likewise
  std::string cmdline = {};         // kernel arguments
  std::string iso_path = {};        // empty = none
  std::string ticket = {};          // a secret: opens `base` at the image store, and nothing else
  std::uint64_t disk_bytes = 0;     // of the node's disk; 0 = it has none
  std::vector<BaseFile> base = {};  // at most one of each kind
  Firmware firmware = Firmware::bios;
  // Generations that the disk continues, oldest first; at most `generations_max`. Each lies on the
  // one before it, the first on the base's disk. On a host that uses the store's files in place,
  // the file at `path` names them.
  std::vector<BaseFile> layers = {};
  ImageId image_id = {};  // that the disk was cloned from, also if the node is defined with a tag
  NUCLEUS_FIELDS(node_id, path, format, kernel, initramfs, cmdline, iso_path, ticket, disk_bytes,
                 base, firmware, layers, image_id);
};

/// The file beside a disk that has the variables of its UEFI firmware, such as what to boot. It is
/// removed with the disk.
inline std::string firmware_variables_of(const std::string& disk_path) {
  return disk_path + ".uefi";
}

/// The file of this kind, or null.
inline const BaseFile* find_base(const Volume& volume, BaseFileKind kind) {
  for (const auto& file : volume.base)
    if (file.kind == kind) return &file;
  return nullptr;
}

struct NodeVolume {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  ImageId image_id = {};  // cloned from this image; empty = from none
  std::uint64_t disk_gb = 0;
  std::string format = {};
  bool is_ready = false;
  std::string reason = {};  // why it is not ready
  DiskContent disk = {};
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, image_id, disk_gb, format, is_ready, reason,
                 disk);
};

struct NodeVolumes {
  std::vector<NodeVolume> volumes = {};  // by node_id
  std::string next = {};                 // cursor of the next page; empty = the last page
  NUCLEUS_FIELDS(volumes, next);
};

/// The volumes of the nodes that the viewer may see.
struct ListVolumes {
  static constexpr std::string_view topic = "image_store.list-volumes";
  using Reply = NodeVolumes;
  Viewer viewer = {};
  ClusterId cluster_id = {};  // only of this cluster's nodes; empty = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, cluster_id, page);
};

/// The scheduler: does this work on the disk of a node that does not run, and repeats the request
/// until it is accepted. The end of the work is reported by `VolumePlaced`.
struct WorkOnDisk {
  static constexpr std::string_view topic = "image_store.work-on-disk";
  using Reply = Done;
  NodeId node_id = {};
  std::string work_id = {};  // a request with the same one is about the same work
  DiskWorkKind kind = DiskWorkKind::unknown;
  std::uint64_t generation = 0;        // to roll back to, 0 = the image; or to remove
  std::string name = {};               // of the generation to save
  bool is_automatic = false;           // likewise
  std::uint64_t first_generation = 0;  // of several to remove; 0 = only `generation`
  NUCLEUS_FIELDS(node_id, work_id, kind, generation, name, is_automatic, first_generation);
};

/// Lets a tag name this image; an earlier image of the tag loses it. A node that is defined with a
/// tag gets what it names when the node's disk is made, and keeps that. The reply is the image.
struct TagImage {
  static constexpr std::string_view topic = "image_store.tag-image";
  using Reply = Image;
  ImageId image_id = {};
  std::string tag = {};  // PROJECT/NAME:TAG, of the image's project
  NUCLEUS_FIELDS(image_id, tag);
};

/// Removes a tag from this image; `not_found` if the image does not have it.
struct UntagImage {
  static constexpr std::string_view topic = "image_store.untag-image";
  using Reply = Done;
  ImageId image_id = {};
  std::string tag = {};
  NUCLEUS_FIELDS(image_id, tag);
};

/// Removes an image; `wrong_state` while a node uses it, as its disk's image or as its ISO, and
/// while it has a tag. With
/// `is_kept_for_clones`, disks that were cloned from it do not count: they keep its files, which
/// are deleted with the last of them.
struct RemoveImage {
  static constexpr std::string_view topic = "image_store.remove-image";
  using Reply = Done;
  ImageId image_id = {};
  bool is_kept_for_clones = false;
  NUCLEUS_FIELDS(image_id, is_kept_for_clones);
};

/// Event: an image was published.
struct ImagePublished {
  static constexpr std::string_view topic = "image_store.image-published";
  ProjectId project_id = {};  // the owner; `public` = visible to all projects
  Image image = {};
  NUCLEUS_FIELDS(project_id, image);
};

/// Event: an image was removed.
struct ImageRemoved {
  static constexpr std::string_view topic = "image_store.image-removed";
  ProjectId project_id = {};  // the owner; `public` = visible to all projects
  ImageId image_id = {};
  NUCLEUS_FIELDS(project_id, image_id);
};

/// Event: a tag names an image, perhaps another one than before.
struct ImageTagged {
  static constexpr std::string_view topic = "image_store.image-tagged";
  ProjectId project_id = {};  // the owner; `public` = visible to all projects
  ImageId image_id = {};
  std::string tag = {};
  NUCLEUS_FIELDS(project_id, image_id, tag);
};

/// Event: a tag was removed.
struct ImageUntagged {
  static constexpr std::string_view topic = "image_store.image-untagged";
  ProjectId project_id = {};  // the owner; `public` = visible to all projects
  ImageId image_id = {};      // that it named
  std::string tag = {};
  NUCLEUS_FIELDS(project_id, image_id, tag);
};

/// Event: a node's volume is ready, its ISO or its generations changed, or it waits for the reason
/// given.
struct VolumeChanged {
  static constexpr std::string_view topic = "image_store.volume-changed";
  NodeVolume volume = {};
  NUCLEUS_FIELDS(volume);
};

/// Event, emitted with each VolumeChanged under no project: only services and operators see the
/// paths of the store and the volume's ticket.
struct VolumePlaced {
  static constexpr std::string_view topic = "image_store.volume-placed";
  Volume volume = {};
  bool is_ready = false;
  std::string reason = {};             // why it is not ready
  std::optional<ImageId> iso_id = {};  // of the node's definition that this is about; not set by
                                       // release 0.1
  DiskContent disk = {};
  NUCLEUS_FIELDS(volume, is_ready, reason, iso_id, disk);
};

}  // namespace nucleus::msg

// What the image store stores. Private to this service: others use its messages.
#pragma once

#include <string>
#include <vector>

#include "messages/image_store.hpp"
#include "messages/registry.hpp"

namespace nucleus::image_store {

/// What is known of a file of the store.
struct FileDigest {
  std::uint64_t size_bytes = 0;  // 0 = not known
  std::string sha256 = {};       // hex; empty = not known
  NUCLEUS_FIELDS(size_bytes, sha256);
};

/// A project as the registry defined it.
struct StoredProject {
  msg::ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

/// A published image.
struct StoredImage {
  msg::Image image = {};
  std::string folder = {};  // holds its files; never used for another image, whatever its name
  bool has_disk = false;
  bool has_kernel = false;
  bool has_initramfs = false;
  FileDigest kernel = {};  // not known of images of release 0.1
  FileDigest initramfs = {};
  NUCLEUS_FIELDS(image, folder, has_disk, has_kernel, has_initramfs, kernel, initramfs);
};

/// A tag, which names an image of its project.
struct StoredTag {
  std::string tag = {};  // PROJECT/NAME:TAG
  msg::ImageId image_id = {};
  NUCLEUS_FIELDS(tag, image_id);
};

/// The files of a removed image; deleted once no volume needs them.
struct StoredDoomedFolder {
  std::string folder = {};
  NUCLEUS_FIELDS(folder);
};

/// An upload. Its ticket is secret and is not stored.
struct StoredUpload {
  std::string upload_id = {};
  msg::ImageId image_id = {};
  msg::ImageFormat format = msg::ImageFormat::unknown;
  std::int64_t begun_unix_s = 0;
  std::uint64_t size_bytes = 0;     // announced; 0 = not known: it is finished by FinishUpload
  std::string sha256 = {};          // hex, announced; empty = not given
  std::string md5 = {};             // likewise
  std::string ticket_sha256 = {};   // hex; empty = it has no ticket
  std::int64_t expires_unix_s = 0;  // 0 = of release 0.1: a day after it began
  msg::UploadState state = msg::UploadState::receiving;
  std::string reason = {};      // why it failed, is checked again, or is not fetched yet
  std::string source_url = {};  // empty = a client sends it
  msg::Firmware firmware = msg::Firmware::bios;
  msg::PersonId person_id = {};  // who has the ticket, or asked for the fetch; empty = of 0.1
  std::string token_id = {};     // the ticket ends with it; empty = none, or a fetch
  std::string person_uid = {};
  msg::NodeId node_id = {};      // whose disk it is made of; empty = of none
  std::uint64_t generation = 0;  // of that disk
  std::string work_id = {};  // it is the layer that a host sends for this work on the node's disk
  NUCLEUS_FIELDS(upload_id, image_id, format, begun_unix_s, size_bytes, sha256, md5, ticket_sha256,
                 expires_unix_s, state, reason, source_url, firmware, person_id, token_id,
                 person_uid, node_id, generation, work_id);
  /// Its bytes arrive at the server for uploads.
  bool is_resumable() const { return !ticket_sha256.empty(); }
  /// The image store fetches its bytes.
  bool is_fetched() const { return !source_url.empty(); }
  /// The image store makes it of a node's disk.
  bool is_of_disk() const { return !node_id.empty() && !is_layer(); }
  /// It becomes a generation, and no image.
  bool is_layer() const { return !work_id.empty(); }
  /// Its last byte finishes it; else FinishUpload does.
  bool finishes_itself() const { return is_resumable() || is_fetched() || is_of_disk(); }
};

/// A generation of a node's disk: a file in a folder of its own, which is never used again.
struct StoredGeneration {
  msg::DiskGeneration shown = {};
  std::string folder = {};
  std::string sha256 = {};       // hex, of a layer that a host has sent; empty = it was sealed here
  std::string sent_folder = {};  // has the layer as hosts read it; empty = `folder`
  NUCLEUS_FIELDS(shown, folder, sha256, sent_folder);
};

/// The work on a node's disk that is under way, or ended last.
struct StoredDiskWork {
  std::string work_id = {};  // empty = there was none
  msg::DiskWorkKind kind = msg::DiskWorkKind::unknown;
  std::uint64_t generation = 0;   // to roll back to, to remove, or that is saved
  std::string name = {};          // of the generation that is saved
  std::string folder = {};        // for it
  std::int64_t begun_unix_s = 0;  // the generation's time
  bool is_ended = false;
  std::string reason = {};             // why it failed
  bool is_received = false;            // a host sends what it saves
  std::string sha256 = {};             // hex, of that
  bool is_automatic = false;           // of the generation that is saved
  std::uint64_t first_generation = 0;  // of those to remove; the last one is `generation`
  NUCLEUS_FIELDS(work_id, kind, generation, name, folder, begun_unix_s, is_ended, reason,
                 is_received, sha256, is_automatic, first_generation);
  bool is_under_way() const { return !work_id.empty() && !is_ended; }
  /// What a host sends is published when it has arrived.
  bool is_to_be_done() const { return is_under_way() && !is_received; }
};

/// waiting: to be made, or its ISO is missing. removed: its file is deleted, then this record.
NUCLEUS_ENUM(VolumeState, waiting, ready, removed)

/// The volume of a node, desired and made.
struct StoredVolume {
  msg::Node node = {};
  msg::Volume volume = {};
  VolumeState state = VolumeState::unknown;
  std::string reason = {};                         // why it waits
  std::string image_folder = {};                   // of the image that its disk is a clone of
  std::vector<StoredGeneration> generations = {};  // by number
  std::uint64_t generation = 0;                    // that the disk continues; 0 = none
  std::uint64_t generation_count = 0;              // that it ever had: the newest number
  StoredDiskWork work = {};
  msg::ImageId image_id = {};  // that the node's tag named when its disk was to be made; empty = it
                               // has no tag, or one that named nothing yet
  NUCLEUS_FIELDS(node, volume, state, reason, image_folder, generations, generation,
                 generation_count, work, image_id);
  /// What the disk is a clone of. Empty: of none, or the node's tag names nothing yet.
  msg::ImageId cloned_image() const {
    const bool is_tag = node.image_id.value.find(':') != std::string::npos;
    return is_tag ? image_id : node.image_id;
  }
};

}  // namespace nucleus::image_store

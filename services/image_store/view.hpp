// Projects, images and volumes in memory, with indexes over them: which folders are in use, which
// volumes have work to be done. `apply` is the only mutator. Runs on the loop.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/digest/digest.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

/// What one decision changes: the records to write and to remove. A published image emits its
/// event; a volume emits its events if the change is to be announced.
struct Plan {
  struct Volume {
    StoredVolume stored = {};
    bool is_announced = false;
  };
  std::vector<msg::ProjectId> projects = {};
  std::vector<msg::ProjectId> projects_removed = {};
  std::vector<StoredImage> images = {};
  std::vector<msg::ImageId> images_removed = {};
  std::vector<StoredTag> tags = {};
  std::vector<StoredTag> tags_removed = {};
  std::vector<std::string> folders_doomed = {};
  std::vector<std::string> folders_deleted = {};
  std::vector<Volume> volumes = {};
  std::vector<msg::NodeId> volumes_removed = {};
};

class View {
 public:
  /// True for a project that exists, and for the owner of public images.
  bool is_owner(const msg::ProjectId& id) const;
  /// Null if there is none.
  const StoredImage* image(const msg::ImageId& image_id) const;
  const StoredVolume* volume(const msg::NodeId& node_id) const;
  /// Null if there is no such image, or the project may not use it: it may use its own and the
  /// public ones.
  const StoredImage* visible_image(const msg::ImageId& image_id,
                                   const msg::ProjectId& project_id) const;
  /// What a tag names; null if nothing.
  const msg::ImageId* tagged_image(const std::string& tag) const;
  /// In order.
  std::vector<std::string> tags_of(const msg::ImageId& image_id) const;
  /// The volume whose base this ticket opens; null if there is none.
  const StoredVolume* volume_with(const std::string& ticket) const;
  const std::map<msg::ImageId, StoredImage>& images() const { return images_; }
  const std::map<msg::NodeId, StoredVolume>& volumes() const { return volumes_; }
  std::size_t count(VolumeState state) const;
  /// How the nodes that are not removed use an image.
  struct Use {
    const StoredVolume* clone = nullptr;   // one whose disk is a clone of it; null = none
    const StoredVolume* reader = nullptr;  // one that needs it otherwise: has it as its ISO, or
                                           // waits for its disk
  };
  Use use_of(const StoredImage& image) const;
  /// True if an image, or a part of a volume's disk, is in this folder.
  bool is_folder_used(const std::string& folder) const { return folders_.contains(folder); }
  /// Folders of removed images, to be deleted once they are not used.
  const std::set<std::string>& doomed_folders() const { return doomed_folders_; }
  /// Volumes to be made, worked on or removed.
  const std::set<msg::NodeId>& unsettled() const { return unsettled_; }

  void apply(const Plan& plan);
  /// Asserts that the indexes agree with the records.
  void check() const;

 private:
  void set_tag(const std::string& tag, const msg::ImageId& image_id);
  void remove_tag(const std::string& tag);
  void count_volume(const StoredVolume& stored, int change);
  void remove_image(const msg::ImageId& image_id);
  void remove_volume(const msg::NodeId& node_id);

  std::set<msg::ProjectId> projects_ = {};
  std::map<msg::ImageId, StoredImage> images_ = {};
  std::map<msg::NodeId, StoredVolume> volumes_ = {};
  std::map<std::string, msg::ImageId> tags_ = {};
  std::map<msg::ImageId, std::set<std::string>> tags_by_image_ = {};
  std::unordered_map<std::string, int> folders_ = {};  // images and volumes in it; never 0
  std::set<std::string> doomed_folders_ = {};
  std::set<msg::NodeId> unsettled_ = {};
  // By the digest of the ticket, so that a look-up takes the same time for every wrong one.
  std::unordered_map<core::Sha256, msg::NodeId, core::Sha256Prefix> tickets_ = {};
  std::size_t ready_ = 0;
  std::size_t removed_ = 0;
};

/// The part of an image's id before the slash: a project, or `public`.
msg::ProjectId owner_of(const msg::ImageId& image_id);

}  // namespace nucleus::image_store

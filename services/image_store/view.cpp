#include "services/image_store/view.hpp"

#include "core/assert.hpp"

namespace nucleus::image_store {
namespace {

template <class Map, class Key>
auto find_in(const Map& map, const Key& key) -> const typename Map::mapped_type* {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

template <class Key>
void add_to(std::unordered_map<Key, int>& counts, const Key& key, int change) {
  if (key == Key{}) return;
  int& count = counts[key];
  count += change;
  NUCLEUS_ASSERT(count >= 0);
  if (count == 0) counts.erase(key);
}

}  // namespace

msg::ProjectId owner_of(const msg::ImageId& image_id) {
  return {image_id.value.substr(0, image_id.value.find('/'))};
}

bool View::is_owner(const msg::ProjectId& id) const {
  return id.value == "public" || projects_.contains(id);
}

const StoredImage* View::image(const msg::ImageId& image_id) const {
  return find_in(images_, image_id);
}

const StoredVolume* View::volume(const msg::NodeId& node_id) const {
  return find_in(volumes_, node_id);
}

const StoredImage* View::visible_image(const msg::ImageId& image_id,
                                       const msg::ProjectId& project_id) const {
  const auto owner = owner_of(image_id);
  return owner.value == "public" || owner == project_id ? image(image_id) : nullptr;
}

const msg::ImageId* View::tagged_image(const std::string& tag) const {
  return find_in(tags_, tag);
}

std::vector<std::string> View::tags_of(const msg::ImageId& image_id) const {
  const auto* tags = find_in(tags_by_image_, image_id);
  return tags ? std::vector<std::string>(tags->begin(), tags->end()) : std::vector<std::string>{};
}

const StoredVolume* View::volume_with(const std::string& ticket) const {
  const auto* node_id = find_in(tickets_, core::sha256(ticket));
  return node_id ? volume(*node_id) : nullptr;
}

View::Use View::use_of(const StoredImage& image) const {
  const auto& id = image.image.image_id;
  Use use;
  for (const auto& [node_id, stored] : volumes_) {
    if (stored.state == VolumeState::removed) continue;
    const bool is_to_be_cloned = stored.cloned_image() == id && stored.image_folder.empty();
    if (stored.node.iso_id == id || is_to_be_cloned) use.reader = &stored;
    if (stored.image_folder == image.folder) use.clone = &stored;
  }
  return use;
}

std::size_t View::count(VolumeState state) const {
  switch (state) {
    case VolumeState::ready:
      return ready_;
    case VolumeState::removed:
      return removed_;
    case VolumeState::waiting:
      return volumes_.size() - ready_ - removed_;
    case VolumeState::unknown:
      break;
  }
  return 0;
}

void View::apply(const Plan& plan) {
  projects_.insert(plan.projects.begin(), plan.projects.end());
  for (const auto& id : plan.projects_removed) projects_.erase(id);
  for (const auto& node_id : plan.volumes_removed) remove_volume(node_id);
  for (const auto& removed : plan.tags_removed) remove_tag(removed.tag);
  for (const auto& image_id : plan.images_removed) remove_image(image_id);
  doomed_folders_.insert(plan.folders_doomed.begin(), plan.folders_doomed.end());
  for (const auto& folder : plan.folders_deleted) doomed_folders_.erase(folder);
  for (const auto& stored : plan.images) {
    NUCLEUS_ASSERT(!images_.contains(stored.image.image_id));
    add_to(folders_, stored.folder, 1);
    images_[stored.image.image_id] = stored;
  }
  for (const auto& [tag, image_id] : plan.tags) set_tag(tag, image_id);
  for (const auto& [stored, is_announced] : plan.volumes) {
    const auto& node_id = stored.node.node_id;
    if (volumes_.contains(node_id)) count_volume(volumes_.at(node_id), -1);
    count_volume(stored, 1);
    volumes_[node_id] = stored;
  }
#ifndef NDEBUG
  check();
#endif
}

void View::set_tag(const std::string& tag, const msg::ImageId& image_id) {
  NUCLEUS_ASSERT(images_.contains(image_id));
  remove_tag(tag);
  tags_[tag] = image_id;
  tags_by_image_[image_id].insert(tag);
}

void View::remove_tag(const std::string& tag) {
  const auto found = tags_.find(tag);
  if (found == tags_.end()) return;
  auto& tags = tags_by_image_[found->second];
  tags.erase(tag);
  if (tags.empty()) tags_by_image_.erase(found->second);
  tags_.erase(found);
}

void View::count_volume(const StoredVolume& stored, int change) {
  add_to(folders_, stored.image_folder, change);
  for (const auto& one : stored.generations) {
    add_to(folders_, one.folder, change);
    add_to(folders_, one.sent_folder, change);
  }
  add_to(folders_, stored.work.folder, change);
  if (const auto& ticket = stored.volume.ticket; !ticket.empty()) {
    if (change > 0 && stored.state != VolumeState::removed)
      tickets_[core::sha256(ticket)] = stored.node.node_id;
    else
      tickets_.erase(core::sha256(ticket));
  }
  if (stored.state == VolumeState::ready) ready_ += static_cast<std::size_t>(change);
  if (stored.state == VolumeState::removed) removed_ += static_cast<std::size_t>(change);
  const bool is_settled = stored.state == VolumeState::ready && !stored.work.is_to_be_done();
  if (!is_settled && change > 0)
    unsettled_.insert(stored.node.node_id);
  else
    unsettled_.erase(stored.node.node_id);
}

void View::remove_image(const msg::ImageId& image_id) {
  const auto found = images_.find(image_id);
  NUCLEUS_ASSERT(found != images_.end() && !use_of(found->second).reader &&
                 !tags_by_image_.contains(image_id));
  add_to(folders_, found->second.folder, -1);
  images_.erase(found);
}

void View::remove_volume(const msg::NodeId& node_id) {
  const auto found = volumes_.find(node_id);
  NUCLEUS_ASSERT(found != volumes_.end() && found->second.state == VolumeState::removed);
  count_volume(found->second, -1);
  volumes_.erase(found);
}

void View::check() const {
  View again;
  for (const auto& [image_id, stored] : images_) {
    add_to(again.folders_, stored.folder, 1);
    NUCLEUS_ASSERT(!doomed_folders_.contains(stored.folder));
  }
  for (const auto& [node_id, stored] : volumes_) again.count_volume(stored, 1);
  for (const auto& [tag, image_id] : tags_) {
    NUCLEUS_ASSERT(images_.contains(image_id));
    again.tags_by_image_[image_id].insert(tag);
  }
  NUCLEUS_ASSERT(again.tags_by_image_ == tags_by_image_);
  NUCLEUS_ASSERT(again.folders_ == folders_);
  NUCLEUS_ASSERT(again.unsettled_ == unsettled_);
  NUCLEUS_ASSERT(again.tickets_ == tickets_);
  NUCLEUS_ASSERT(again.ready_ == ready_ && again.removed_ == removed_);
  for (const auto& [node_id, stored] : volumes_) {
    NUCLEUS_ASSERT(stored.node.node_id == node_id && stored.state != VolumeState::unknown);
    NUCLEUS_ASSERT(stored.state != VolumeState::ready || stored.reason.empty());
  }
}

}  // namespace nucleus::image_store

// The image store's Redis keys.
#pragma once

#include "core/state/store.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store::keys {

inline core::Key<StoredProject> project(const msg::ProjectId& id) {
  return {"nucleus:image_store:project:" + id.value};
}
inline core::Key<StoredProject> projects() {
  return {"nucleus:image_store:project:"};
}
inline core::Key<StoredImage> image(const msg::ImageId& id) {
  return {"nucleus:image_store:image:" + id.value};
}
inline core::Key<StoredImage> images() {
  return {"nucleus:image_store:image:"};
}
inline core::Key<StoredTag> tag(const std::string& tag) {
  return {"nucleus:image_store:tag:" + tag};
}
inline core::Key<StoredTag> tags() {
  return {"nucleus:image_store:tag:"};
}
inline core::Key<StoredDoomedFolder> doomed_folder(const std::string& folder) {
  return {"nucleus:image_store:doomed-folder:" + folder};
}
inline core::Key<StoredDoomedFolder> doomed_folders() {
  return {"nucleus:image_store:doomed-folder:"};
}
inline core::Key<StoredUpload> upload(const std::string& upload_id) {
  return {"nucleus:image_store:upload:" + upload_id};
}
inline core::Key<StoredUpload> uploads() {
  return {"nucleus:image_store:upload:"};
}
inline core::Key<StoredVolume> volume(const msg::NodeId& id) {
  return {"nucleus:image_store:volume:" + id.value};
}
inline core::Key<StoredVolume> volumes() {
  return {"nucleus:image_store:volume:"};
}

}  // namespace nucleus::image_store::keys

// Imports, publication and removal of images. Files are copied and removed on workers;
// everything else runs on the loop.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/runtime/runtime.hpp"
#include "services/image_store/driver/store_driver.hpp"
#include "services/image_store/driver/upload_folder.hpp"
#include "services/image_store/metrics.hpp"
#include "services/image_store/view.hpp"

namespace nucleus::image_store {

class Images {
 public:
  /// `published` is called when an image that nodes may wait for was published.
  Images(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
         View& view, Metrics& metrics, std::function<void()> published);

  /// Copies, checks and publishes an upload whose bytes are all there. One that finishes itself is
  /// `published` or `failed` then; of another, the record is removed.
  void publish_upload(StoredUpload upload, core::Context context,
                      core::Responder<msg::Image> respond);
  /// Marks an upload as failed, and deletes its file.
  void refuse_upload(const StoredUpload& upload, const core::Error& error, core::Context& context);
  /// `wrong_state` while an image of this id is being published.
  core::Result<void> check_not_publishing(const msg::ImageId& image_id) const;
  bool is_publishing(const std::string& upload_id) const;
  void import_image(const msg::ImportImage& request, core::Context& context,
                    core::Responder<msg::Image> respond);
  core::Result<msg::Images> list_images(const msg::ListImages& request, core::Context& context);
  void remove_image(const msg::RemoveImage& request, core::Context& context,
                    core::Responder<msg::Done> respond);
  core::Result<msg::Image> tag_image(const msg::TagImage& request, core::Context& context);
  core::Result<msg::Done> untag_image(const msg::UntagImage& request, core::Context& context);
  /// The images of a removed project go with it; another project of its name has none of them.
  core::Result<void> handle_project_defined(const msg::ProjectDefined& event,
                                            core::Context& context);
  core::Result<void> handle_project_removed(const msg::ProjectRemoved& event,
                                            core::Context& context);
  /// Keeps the files in these folders until the pin is gone.
  using Pin = std::shared_ptr<const std::vector<std::string>>;
  Pin pin(std::vector<std::string> folders);
  /// Deletes the files of removed images, except those that a volume or a pin still needs.
  void delete_folders(core::Context& context);

  /// Call when the records were loaded: abandons earlier work, whose callers repeat their requests.
  void restart();

 private:
  /// An image that is being copied into the store.
  struct Publication {
    StoredImage stored = {};
    StageRequest stage = {};
    StoredUpload upload = {};  // without an id: an import
    std::shared_ptr<std::atomic<bool>> is_abandoned = std::make_shared<std::atomic<bool>>(false);
  };

  void publish(Publication publication, core::Context context, core::Responder<msg::Image> respond);
  core::Result<void> check_end(const Publication& publication, const StagedFiles& staged) const;
  void end_publication(Publication& publication, const core::Result<StagedFiles>& staged,
                       core::Context& context, const core::Responder<msg::Image>& respond);
  void refuse_publication(const Publication& publication, const core::Error& error,
                          core::Context& context);
  void end_upload(StoredUpload upload, msg::UploadState state, const std::string& reason,
                  core::Context& context, core::Transaction& tx) const;
  void remove_file_when_durable(const std::string& upload_id);
  bool is_pinned(const std::string& folder);
  void end_deletion(const std::string& folder, const core::Result<void>& deleted);

  core::Loop& loop_;
  core::Workers& workers_;
  core::Bus& bus_;
  core::Store& store_;
  const Config& config_;
  std::shared_ptr<StoreDriver> driver_;
  UploadFolder uploads_;
  View& view_;
  Metrics& metrics_;
  std::function<void()> published_;
  std::map<msg::ImageId, Publication> publishing_ = {};
  std::set<std::string> folders_being_deleted_ = {};
  std::vector<std::weak_ptr<const std::vector<std::string>>> pins_ = {};
};

}  // namespace nucleus::image_store

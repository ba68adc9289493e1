// Uploads from their beginning to the image: tickets, progress, quota, expiry. Bytes arrive through
// the gateway's file, or at the server for uploads (driver/upload_server.hpp), or are fetched from
// a URL, or are read from a node's disk; except in the first way, the last byte finishes the
// upload. Runs on the loop; files are touched on workers.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "messages/layers.hpp"
#include "messages/people.hpp"
#include "services/image_store/driver/upload_server.hpp"
#include "services/image_store/fetches.hpp"
#include "services/image_store/images.hpp"

namespace nucleus::image_store {

class Uploads {
 public:
  Uploads(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
          View& view, Images& images);

  void begin_upload(const msg::BeginUpload& request, core::Context& context,
                    core::Responder<msg::UploadTicket> respond);
  // disk_images.cpp
  void save_image(const msg::SaveImage& request, core::Context& context,
                  core::Responder<msg::UploadTicket> respond);
  // layers.cpp
  void receive_layer(const msg::ReceiveLayer& request, core::Context& context,
                     core::Responder<msg::UploadTicket> respond);
  void finish_upload(const msg::FinishUpload& request, core::Context& context,
                     core::Responder<msg::Image> respond);
  void list_uploads(const msg::ListUploads& request, core::Context& context,
                    core::Responder<msg::ImageUploads> respond);
  void remove_upload(const msg::RemoveUpload& request, core::Context& context,
                     core::Responder<msg::Done> respond);

  // For the server of uploads.
  void find(const UploadAccess& access, const UploadCalls::Done<UploadTarget>& done);
  void note_received(const std::string& upload_id, std::uint64_t offset,
                     const UploadCalls::Done<UploadTarget>& done);
  void remove_now(const std::string& upload_id, core::Responder<msg::Done> respond);
  const std::shared_ptr<UploadLocks>& locks() const { return locks_; }
  /// The URL that upload ids are appended to; empty = there is no server.
  void set_url(std::string url) { url_ = std::move(url); }

  /// Removes expired uploads and files without an upload, and checks uploads whose bytes have all
  /// arrived but that are not being checked.
  void tidy(core::Context& context);
  void retry_fetches(core::Context&) {
    tried_.clear();
    start_fetches();
  }
  core::Result<void> end_rights(const msg::CredentialsChanged& change, core::Context& context);
  /// Call when the records were loaded.
  void restart();

 private:
  core::Result<void> check_begin(const msg::BeginUpload& request) const;
  core::Result<void> check_source(const msg::BeginUpload& request) const;
  const StoredUpload* find_earlier(const msg::BeginUpload& request) const;
  void begin_now(const msg::BeginUpload& request, core::Context context,
                 const core::Responder<msg::UploadTicket>& respond);
  void issue_ticket(StoredUpload upload, core::Context& context,
                    const core::Responder<msg::UploadTicket>& respond);
  void begin_fetch(const StoredUpload& upload, core::Context& context,
                   const core::Responder<msg::UploadTicket>& respond);
  // layers.cpp
  core::Result<void> check_layer(const msg::ReceiveLayer& request) const;
  void begin_layer(const msg::ReceiveLayer& request, core::Context context,
                   const core::Responder<msg::UploadTicket>& respond);
  void publish_layer(const StoredUpload& upload);
  void end_layer(const StoredUpload& upload, const std::string& folder,
                 const core::Result<std::uint64_t>& size_bytes);
  void drop_layer(const std::string& upload_id);
  core::Result<void> check_open_uploads(const msg::ProjectId& project_id) const;
  // fetched_uploads.cpp
  void start_fetches();
  // disk_images.cpp
  core::Result<const StoredVolume*> check_save(const msg::SaveImage& request) const;
  void start_flattening(const StoredUpload& upload, std::uint64_t bytes_max,
                        std::shared_ptr<void> lock);
  void end_fetch(const std::string& upload_id, const core::Result<std::uint64_t>& fetched);
  void reply_with_offset(msg::UploadTicket reply,
                         const core::Responder<msg::UploadTicket>& respond);
  void finish_fetch(StoredUpload upload, std::uint64_t size_bytes);
  void check_writers(const msg::PersonId& person);
  core::Result<UploadTarget> find_now(const UploadAccess& access) const;
  core::Result<UploadTarget> note_now(const std::string& upload_id, std::uint64_t offset);
  void finish(StoredUpload upload, core::Context context, core::Responder<msg::Image> respond);
  void drop_expired(core::Context& context);
  void look_at_files();
  void take_found(const std::vector<UploadFolder::Found>& found);
  UploadTarget target_of(const StoredUpload& upload) const;
  void remove_file(const std::string& upload_id);

  core::Loop& loop_;
  core::Workers& workers_;
  core::Bus& bus_;
  core::Store& store_;
  const Config& config_;
  const UploadFolder folder_;
  std::shared_ptr<StoreDriver> driver_;
  View& view_;
  Images& images_;
  std::shared_ptr<UploadLocks> locks_ = std::make_shared<UploadLocks>();
  std::string url_ = {};
  std::set<std::string> tried_ = {};  // fetched since the last `retry_fetches`
  Fetches fetches_;
  std::set<std::string> publishing_layers_ = {};  // uploads
  bool is_flattening_ = false;                    // one at a time: workers are for others too
};

/// The reply about an upload whose bytes the image store gets itself: it has no ticket.
msg::UploadTicket fetch_reply(const StoredUpload& upload);

}  // namespace nucleus::image_store

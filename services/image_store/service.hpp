// The image store publishes images that passed their checks, and makes the volume of each node. It
// alone writes images and volumes. Runs on the service's loop; files are touched on workers.
#pragma once

#include "services/image_store/driver/file_server.hpp"
#include "services/image_store/uploads.hpp"
#include "services/image_store/volumes.hpp"

namespace nucleus::image_store {

class Service {
 public:
  Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver);
  ~Service() { *self_ = nullptr; }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Where hosts read images; nothing if they do not.
  std::optional<core::Endpoint> hosts_endpoint() const;
  /// Where clients send the bytes of uploads; nothing if they do not.
  std::optional<core::Endpoint> uploads_endpoint() const;

 private:
  void load();
  std::shared_ptr<UploadHandler> make_upload_handler(core::Loop& loop);
  void serve_hosts(core::Runtime& runtime, const std::shared_ptr<UploadHandler>& uploads);
  void serve_uploads(core::Runtime& runtime, std::shared_ptr<UploadHandler> uploads);
  core::Result<std::string> find_file(const FileRequest& request) const;

  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  View view_ = {};
  Volumes volumes_;
  Images images_;
  Uploads uploads_;
  std::shared_ptr<StoreDriver> driver_;
  // Requests of hosts are posted to the loop, and may arrive there after this object's end.
  std::shared_ptr<Service*> self_ = std::make_shared<Service*>(this);
  std::unique_ptr<FileServer> hosts_ = {};
  std::unique_ptr<UploadServer> upload_server_ = {};
};

}  // namespace nucleus::image_store

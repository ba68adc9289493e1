// The image store publishes images that passed their checks, and gives each node its volume. It
// alone writes images and volumes. Everything here runs on the service's one loop; files are
// touched on workers.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "core/runtime/runtime.hpp"
#include "services/image_store/config.hpp"
#include "services/image_store/driver/file_check.hpp"
#include "services/image_store/driver/store_driver.hpp"
#include "services/image_store/metrics.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

class Service {
 public:
  Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver);

 private:
  // images.cpp
  core::Result<msg::UploadTicket> begin_upload(const msg::BeginUpload& request,
                                               core::Context& context);
  void finish_upload(const msg::FinishUpload& request, core::Context& context,
                     core::Responder<msg::Image> respond);
  void import_image(const msg::ImportImage& request, core::Context& context,
                    core::Responder<msg::Image> respond);
  core::Result<msg::Images> list_images(const msg::ListImages& request, core::Context& context);
  void remove_image(const msg::RemoveImage& request, core::Context& context,
                    core::Responder<msg::Done> respond);
  core::Result<void> check_new(const msg::ImageId& image_id, msg::ImageFormat format) const;
  struct Publication {
    msg::Image image = {};
    ImageFiles files = {};
    std::string md5 = {};     // as the sender said; empty = not said
    std::string sha256 = {};  // as the sender said
    std::string upload_id = {};
  };
  static core::Result<CheckedFile> check_and_copy(StoreDriver& driver,
                                                  const Publication& publication,
                                                  const Config& config);
  void publish(Publication publication, core::Context context, core::Responder<msg::Image> respond);
  void drop_old_uploads(core::Context& context);

  // volumes.cpp
  core::Result<void> take_node(const msg::NodeDefined& event, core::Context& context);
  core::Result<void> forget_cluster(const msg::ClusterRemoved& event, core::Context& context);
  core::Result<void> forget_node(const msg::NodeRemoved& event, core::Context& context);
  core::Result<msg::NodeVolumes> list_volumes(const msg::ListVolumes& request,
                                              core::Context& context);
  void look_at_all(core::Context& context);
  void look_at(const msg::NodeId& node_id);
  core::Result<CloneRequest> plan_clone(const msg::Node& node) const;
  void end_clone(const msg::NodeId& node_id, core::Result<msg::Volume> volume);
  void tell(core::Transaction& tx, StoredVolume stored);
  std::string iso_path(const msg::Node& node) const;
  const StoredImage* visible_image(const msg::ImageId& image_id,
                                   const msg::ProjectId& project_id) const;
  void rebuild();
  void show_counts();

  core::Loop& loop_;
  core::Workers& workers_;
  core::Bus& bus_;
  core::Store& store_;
  const Config config_;
  Metrics metrics_;
  std::shared_ptr<StoreDriver> driver_;
  std::set<msg::NodeId> busy_ = {};                        // work at their volumes is under way
  std::map<msg::NodeId, std::int64_t> pending_ = {};       // not as wanted; not before (steady ms)
  std::map<msg::ImageId, std::uint64_t> publishing_ = {};  // with the number of the publication
  std::uint64_t publication_count_ = 0;
};

}  // namespace nucleus::image_store

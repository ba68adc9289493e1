// The image store on a real bus and Redis, with projects `p` and `q`, on files or on a simulated
// store.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "services/image_store/driver/qcow2_store.hpp"
#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/service.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

class ImageStore : public testing::Test {
 protected:
  /// Starts the service on files, or on a simulated store.
  void start(bool is_simulated = true) {
    is_simulated_ = is_simulated;
    ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"p"}}, msg::ProjectDefined{{"q"}}));
    restart();
  }
  void restart() {
    service_.reset();
    service_ = std::make_unique<Process>(
        deployment_, "image_store",
        std::map<std::string, std::string>{
            {"image_store.driver", is_simulated_ ? "simulated" : "qcow2"},
            {"image_store.images_directory", folder_.file("images")},
            {"image_store.uploads_directory", folder_.file("uploads")},
            {"image_store.volumes_directory", folder_.file("volumes")},
            {"image_store.upload_bytes_max", std::to_string(8 << 20)},
            {"image_store.virtual_bytes_max", std::to_string(1LL << 40)},
            {"image_store.retry_ms", "100"}},
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = image_store::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          std::shared_ptr<image_store::StoreDriver> driver = simulated_;
          if (!is_simulated_)
            driver = std::make_shared<image_store::Qcow2Store>(config->images_directory,
                                                               config->volumes_directory);
          return std::make_shared<image_store::Service>(runtime, *config, driver);
        });
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request,
                                            const std::string& request_id = {}) {
    return caller_.call(request, {.request_id = request_id, .deadline = wait_timeout});
  }
  core::Result<msg::UploadTicket> begin(const std::string& image,
                                        msg::ImageFormat format = msg::ImageFormat::raw) {
    return ask(msg::BeginUpload{.image_id = {image}, .format = format});
  }
  static void write(const msg::UploadTicket& ticket, const std::string& bytes) {
    std::ofstream(ticket.path, std::ios::binary) << bytes;
  }
  core::Result<msg::Image> upload(const std::string& image, msg::ImageFormat format,
                                  const std::string& bytes) {
    const auto ticket = begin(image, format);
    if (!ticket) return std::unexpected(ticket.error());
    write(*ticket, bytes);
    return ask(msg::FinishUpload{.upload_id = ticket->upload_id});
  }
  core::Result<msg::Image> put(const std::string& image) {
    return ask(msg::ImportImage{
        .image_id = {image}, .format = msg::ImageFormat::raw, .disk_path = "/nothing"});
  }
  static msg::Node a_node(const std::string& name, const std::string& image = {}) {
    return {.node_id = {name},
            .cluster_id = {"c"},
            .project_id = {"p"},
            .name = name,
            .disk_gb = 1,
            .image_id = {image}};
  }
  std::optional<msg::VolumePlaced> volume_of(const std::string& node, bool is_ready) {
    return events_.next<msg::VolumePlaced>([&](const msg::VolumePlaced& placed) {
      return placed.volume.node_id.value == node && placed.is_ready == is_ready;
    });
  }
  bool is_listed(const std::string& image) {
    const auto images = ask(msg::ListImages{.viewer = {.projects = {{"p"}}}});
    return images && std::ranges::any_of(images->images, [&](const msg::Image& one) {
             return one.image_id.value == image;
           });
  }

  TemporaryFolder folder_ = {};
  std::shared_ptr<image_store::SimulatedStore> simulated_ =
      std::make_shared<image_store::SimulatedStore>();
  bool is_simulated_ = true;
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

}  // namespace nucleus::tests

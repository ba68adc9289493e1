#include "services/image_store/service.hpp"

#include <filesystem>

#include "services/image_store/keys.hpp"

namespace nucleus::image_store {

namespace {
constexpr core::Milliseconds look_every{200};
constexpr core::Milliseconds drop_uploads_every{600'000};
}  // namespace

Service::Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      driver_{std::move(driver)} {
  std::error_code ignored;  // an upload says so where it is missing
  if (!config_.uploads_directory.empty())
    std::filesystem::create_directories(config_.uploads_directory, ignored);
  store_.on_loaded([this] { rebuild(); });
  bus_.serve<msg::BeginUpload>(*this, &Service::begin_upload);
  bus_.serve_later<msg::FinishUpload>(*this, &Service::finish_upload);
  bus_.serve_later<msg::ImportImage>(*this, &Service::import_image);
  bus_.serve<msg::ListImages>(*this, &Service::list_images);
  bus_.serve_later<msg::RemoveImage>(*this, &Service::remove_image);
  bus_.subscribe<msg::NodeDefined>(*this, &Service::take_node);
  bus_.subscribe<msg::ClusterRemoved>(*this, &Service::forget_cluster);
  bus_.serve<msg::ListVolumes>(*this, &Service::list_volumes);
  bus_.subscribe<msg::NodeRemoved>(*this, &Service::forget_node);
  bus_.every(look_every, *this, &Service::look_at_all);
  bus_.every(drop_uploads_every, *this, &Service::drop_old_uploads);
}

void Service::rebuild() {
  pending_.clear();
  busy_.clear();
  publishing_.clear();
  store_.for_each<StoredVolume>(keys::volumes(), [this](const StoredVolume& stored) {
    if (!stored.is_ready || stored.is_removed) pending_[stored.node.node_id] = 0;
  });
  show_counts();
}

void Service::show_counts() {
  double images = 0;
  double volumes = 0;
  store_.for_each<StoredImage>(keys::images(), [&](const StoredImage&) { ++images; });
  store_.for_each<StoredVolume>(keys::volumes(), [&](const StoredVolume&) { ++volumes; });
  metrics_.images.Set(images);
  metrics_.volumes_waiting.Set(static_cast<double>(pending_.size()));
  metrics_.volumes_ready.Set(volumes - static_cast<double>(pending_.size()));
}

}  // namespace nucleus::image_store

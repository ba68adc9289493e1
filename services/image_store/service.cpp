#include "services/image_store/service.hpp"

#include "services/image_store/keys.hpp"

namespace nucleus::image_store {

namespace {
constexpr core::Milliseconds reconcile_interval{200};
constexpr core::Milliseconds drop_uploads_interval{600'000};
}  // namespace

Service::Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver)
    : store_{runtime.store},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      volumes_{runtime, config_, driver, view_, metrics_},
      images_{runtime, config_, driver, view_, metrics_, [this] { volumes_.retry_now(); }} {
  store_.on_loaded([this] { load(); });
  auto& bus = runtime.bus;
  bus.serve_later<msg::BeginUpload>(images_, &Images::begin_upload);
  bus.serve_later<msg::FinishUpload>(images_, &Images::finish_upload);
  bus.serve_later<msg::ImportImage>(images_, &Images::import_image);
  bus.serve<msg::ListImages>(images_, &Images::list_images);
  bus.serve_later<msg::RemoveImage>(images_, &Images::remove_image);
  bus.serve<msg::ListVolumes>(volumes_, &Volumes::list_volumes);
  bus.subscribe<msg::NodeDefined>(volumes_, &Volumes::handle_node_defined);
  bus.subscribe<msg::NodeRemoved>(volumes_, &Volumes::handle_node_removed);
  bus.subscribe<msg::ProjectRemoved>(images_, &Images::handle_project_removed);
  bus.subscribe<msg::ClusterRemoved>(volumes_, &Volumes::handle_cluster_removed);
  bus.every(reconcile_interval, volumes_, &Volumes::reconcile_all);
  bus.every(core::Milliseconds{config_.retry_ms}, images_, &Images::delete_folders);
  bus.every(drop_uploads_interval, images_, &Images::drop_old_uploads);
}

void Service::load() {
  Plan records;
  store_.for_each<StoredImage>(
      keys::images(), [&](const StoredImage& stored) { records.images.push_back(stored); });
  store_.for_each<StoredVolume>(
      keys::volumes(), [&](const StoredVolume& stored) { records.volumes.push_back({stored}); });
  store_.for_each<StoredDoomedFolder>(
      keys::doomed_folders(),
      [&](const StoredDoomedFolder& stored) { records.folders_doomed.push_back(stored.folder); });
  view_ = {};
  view_.apply(records);
  view_.check();
  volumes_.restart();
  images_.restart();
  show_counts(metrics_, view_);
}

}  // namespace nucleus::image_store

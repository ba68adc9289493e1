#include "services/image_store/service.hpp"

#include "core/log/log.hpp"
#include "core/runtime/tls_renewal.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/volume_plan.hpp"

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
      images_{runtime, config_, driver, view_, metrics_, [this] { volumes_.retry_now(); }},
      driver_{driver} {
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
  bus.subscribe<msg::ProjectDefined>(images_, &Images::handle_project_defined);
  bus.subscribe<msg::ProjectRemoved>(images_, &Images::handle_project_removed);
  bus.subscribe<msg::ClusterRemoved>(volumes_, &Volumes::handle_cluster_removed);
  bus.every(reconcile_interval, volumes_, &Volumes::reconcile_all);
  bus.every(core::Milliseconds{config_.retry_ms}, images_, &Images::delete_folders);
  bus.every(drop_uploads_interval, images_, &Images::drop_old_uploads);
  if (config_.hosts) serve_hosts(runtime);
}

void Service::serve_hosts(core::Runtime& runtime) {
  hosts_ = std::make_unique<FileServer>(
      *config_.hosts, metrics_,
      [self = self_, &loop = runtime.loop](const FileRequest& request,
                                           std::function<void(core::Result<std::string>)> done) {
        loop.post([self, request, done = std::move(done)] {
          if (*self) done((*self)->find_file(request));
        });
      });
  core::log::info("hosts_may_read", {{"address", hosts_->endpoint().text()}});
  core::renew_at_hangup(runtime, config_.hosts->listen.certificate, metrics_.certificate_end);
}

core::Result<std::string> Service::find_file(const FileRequest& request) const {
  if (!store_.is_loaded())
    return core::refuse(core::ErrorCode::unavailable, "the image store is loading its records");
  return find_base_file(view_, *driver_, request.ticket, request.content_id, request.kind);
}

std::optional<core::Endpoint> Service::hosts_endpoint() const {
  if (!hosts_) return std::nullopt;
  return hosts_->endpoint();
}

void Service::load() {
  Plan records;
  store_.for_each<StoredProject>(keys::projects(), [&](const StoredProject& stored) {
    records.projects.push_back(stored.project_id);
  });
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

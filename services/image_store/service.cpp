#include "services/image_store/service.hpp"

#include "core/log/log.hpp"
#include "core/runtime/tls_renewal.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/volume_plan.hpp"

namespace nucleus::image_store {

namespace {
constexpr core::Milliseconds reconcile_interval{200};
constexpr core::Milliseconds tidy_uploads_interval{60'000};
}  // namespace

Service::Service(core::Runtime& runtime, Config config, std::shared_ptr<StoreDriver> driver)
    : store_{runtime.store},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      volumes_{runtime, config_, driver, view_, metrics_},
      images_{runtime, config_, driver, view_, metrics_, [this] { volumes_.retry_now(); }},
      uploads_{runtime, config_, driver, view_, images_},
      driver_{driver} {
  store_.on_loaded([this] { load(); });
  auto& bus = runtime.bus;
  bus.serve_later<msg::BeginUpload>(uploads_, &Uploads::begin_upload);
  bus.serve_later<msg::FinishUpload>(uploads_, &Uploads::finish_upload);
  bus.serve_later<msg::ListUploads>(uploads_, &Uploads::list_uploads);
  bus.serve_later<msg::RemoveUpload>(uploads_, &Uploads::remove_upload);
  bus.serve_later<msg::ImportImage>(images_, &Images::import_image);
  bus.serve<msg::ListImages>(images_, &Images::list_images);
  bus.serve<msg::TagImage>(images_, &Images::tag_image);
  bus.serve<msg::UntagImage>(images_, &Images::untag_image);
  bus.serve_later<msg::RemoveImage>(images_, &Images::remove_image);
  bus.serve<msg::ListVolumes>(volumes_, &Volumes::list_volumes);
  bus.serve<msg::WorkOnDisk>(volumes_, &Volumes::work_on_disk);
  bus.serve_later<msg::ReceiveLayer>(uploads_, &Uploads::receive_layer);
  bus.serve_later<msg::SaveImage>(uploads_, &Uploads::save_image);
  bus.subscribe<msg::NodeDefined>(volumes_, &Volumes::handle_node_defined);
  bus.subscribe<msg::NodeRemoved>(volumes_, &Volumes::handle_node_removed);
  bus.subscribe<msg::ProjectDefined>(images_, &Images::handle_project_defined);
  bus.subscribe<msg::CredentialsChanged>(uploads_, &Uploads::end_rights);
  bus.subscribe<msg::ProjectRemoved>(images_, &Images::handle_project_removed);
  bus.subscribe<msg::ClusterRemoved>(volumes_, &Volumes::handle_cluster_removed);
  bus.every(reconcile_interval, volumes_, &Volumes::reconcile_all);
  bus.every(core::Milliseconds{config_.retry_ms}, images_, &Images::delete_folders);
  bus.every(tidy_uploads_interval, uploads_, &Uploads::tidy);
  bus.every(core::Milliseconds{config_.fetch_retry_ms}, uploads_, &Uploads::retry_fetches);
  const auto uploads = make_upload_handler(runtime.loop);
  if (config_.hosts) serve_hosts(runtime, uploads);
  if (config_.uploads) serve_uploads(runtime, uploads);
}

std::shared_ptr<UploadHandler> Service::make_upload_handler(core::Loop& loop) {
  const auto on_loop = [self = self_, &loop](std::function<void(Uploads&)> action) {
    loop.post([self, action = std::move(action)] {
      if (*self) action((*self)->uploads_);
    });
  };
  return std::make_shared<UploadHandler>(
      UploadRules{.size_bytes_max = config_.upload_bytes_max,
                  .origins = config_.uploads_allow_origins},
      metrics_, UploadFolder(config_.uploads_directory), uploads_.locks(),
      UploadCalls{
          .find =
              [on_loop](const UploadAccess& access, const UploadCalls::Done<UploadTarget>& done) {
                on_loop([access, done](Uploads& uploads) { uploads.find(access, done); });
              },
          .received =
              [on_loop](const std::string& id, std::uint64_t offset,
                        const UploadCalls::Done<UploadTarget>& done) {
                on_loop([id, offset, done](Uploads& uploads) {
                  uploads.note_received(id, offset, done);
                });
              },
          .remove =
              [on_loop](const std::string& id, const UploadCalls::Done<msg::Done>& done) {
                on_loop([id, done](Uploads& uploads) { uploads.remove_now(id, done); });
              }});
}

void Service::serve_hosts(core::Runtime& runtime, const std::shared_ptr<UploadHandler>& uploads) {
  hosts_ = std::make_unique<FileServer>(
      *config_.hosts, metrics_,
      [self = self_, &loop = runtime.loop](const FileRequest& request,
                                           std::function<void(core::Result<std::string>)> done) {
        loop.post([self, request, done = std::move(done)] {
          if (*self) done((*self)->find_file(request));
        });
      },
      uploads);
  core::log::info("hosts_may_read", {{"address", hosts_->endpoint().text()}});
  core::renew_at_hangup(runtime, config_.hosts->listen.certificate, metrics_.certificate_end);
}

void Service::serve_uploads(core::Runtime& runtime, std::shared_ptr<UploadHandler> uploads) {
  upload_server_ = std::make_unique<UploadServer>(*config_.uploads, std::move(uploads));
  const auto scheme = config_.uploads->listen.certificate ? "https://" : "http://";
  const auto url = config_.uploads_url.empty() ? scheme + upload_server_->endpoint().text()
                                               : config_.uploads_url;
  uploads_.set_url(url + "/uploads/");
  core::log::info("uploads_are_served", {{"url", url}});
  core::renew_at_hangup(runtime, config_.uploads->listen.certificate,
                        metrics_.uploads_certificate_end);
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

std::optional<core::Endpoint> Service::uploads_endpoint() const {
  if (!upload_server_) return std::nullopt;
  return upload_server_->endpoint();
}

void Service::load() {
  Plan records;
  store_.for_each<StoredProject>(keys::projects(), [&](const StoredProject& stored) {
    records.projects.push_back(stored.project_id);
  });
  store_.for_each<StoredImage>(
      keys::images(), [&](const StoredImage& stored) { records.images.push_back(stored); });
  store_.for_each<StoredTag>(keys::tags(),
                             [&](const StoredTag& stored) { records.tags.push_back(stored); });
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
  uploads_.restart();
  show_counts(metrics_, view_);
}

}  // namespace nucleus::image_store

#include "services/image_store/images.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "core/list/page_builder.hpp"
#include "core/log/log.hpp"
#include "services/image_store/changes.hpp"
#include "services/image_store/image_rules.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/quota.hpp"
#include "services/image_store/tags.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds folder_deadline{60'000};

}  // namespace

Images::Images(core::Runtime& runtime, const Config& config, std::shared_ptr<StoreDriver> driver,
               View& view, Metrics& metrics, std::function<void()> published)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{config},
      driver_{std::move(driver)},
      uploads_{config.uploads_directory},
      view_{view},
      metrics_{metrics},
      published_{std::move(published)} {}

void Images::restart() {
  for (auto& [image_id, publication] : publishing_) publication.is_abandoned->store(true);
  publishing_.clear();
  folders_being_deleted_.clear();
  workers_.submit([driver = driver_] {
    if (auto removed = driver->remove_unfinished(); !removed)
      core::log::warning("image_files_left", {{"reason", removed.error().detail}});
  });
}

core::Result<void> Images::check_not_publishing(const msg::ImageId& image_id) const {
  if (!publishing_.contains(image_id)) return {};
  return core::refuse(ErrorCode::wrong_state,
                      "image " + image_id.value + " is being published already", "image_id");
}

bool Images::is_publishing(const std::string& upload_id) const {
  return std::ranges::any_of(
      publishing_, [&](const auto& entry) { return entry.second.upload.upload_id == upload_id; });
}

void Images::publish_upload(StoredUpload upload, core::Context context,
                            core::Responder<msg::Image> respond) {
  if (auto allowed = check_not_publishing(upload.image_id); !allowed) {
    if (upload.finishes_itself()) refuse_upload(upload, allowed.error(), context);
    return respond(std::unexpected(allowed.error()));
  }
  Publication publication{.stored = {.image = {.image_id = upload.image_id,
                                               .format = upload.format,
                                               .firmware = upload.firmware},
                                     .has_disk = true},
                          .stage = {.from = {.disk = uploads_.path_of(upload.upload_id)},
                                    .is_upload = true,
                                    .is_final = upload.finishes_itself(),
                                    .size_bytes = upload.size_bytes,
                                    .md5 = upload.md5,
                                    .sha256 = upload.sha256},
                          .upload = std::move(upload)};
  publish(std::move(publication), std::move(context), std::move(respond));
}

void Images::import_image(const msg::ImportImage& request, core::Context& context,
                          core::Responder<msg::Image> respond) {
  if (auto allowed = check_import(view_, request); !allowed)
    return respond(std::unexpected(allowed.error()));
  publish({.stored = {.image = {.image_id = request.image_id,
                                .format = request.format,
                                .cmdline = request.cmdline,
                                .firmware = request.firmware},
                      .has_disk = !request.disk_path.empty(),
                      .has_kernel = !request.kernel_path.empty(),
                      .has_initramfs = !request.initramfs_path.empty()},
           .stage = {.from = {.disk = request.disk_path,
                              .kernel = request.kernel_path,
                              .initramfs = request.initramfs_path}}},
          context, std::move(respond));
}

/// Copies and checks on a worker; then record, event and reply are one commit. After a crash the
/// upload is still there for a repeated request.
void Images::publish(Publication publication, core::Context context,
                     core::Responder<msg::Image> respond) {
  const auto image_id = publication.stored.image.image_id;
  if (auto allowed = check_not_publishing(image_id); !allowed)
    return respond(std::unexpected(allowed.error()));
  publication.stored.folder = context.new_id();
  publication.stage.folder = publication.stored.folder;
  publication.stage.format = publication.stored.image.format;
  publication.stage.limits = {.size_bytes_max = config_.upload_bytes_max,
                              .virtual_bytes_max = config_.virtual_bytes_max};
  publishing_[image_id] = publication;
  workers_.run<StagedFiles>(
      loop_, core::Milliseconds{config_.work_deadline_ms},
      [driver = driver_, publication] {
        auto staged = driver->stage(publication.stage);
        if (*publication.is_abandoned) (void)driver->remove_image(publication.stored.folder);
        return staged;
      },
      [this, publication, context, respond](const core::Result<StagedFiles>& staged) mutable {
        if (*publication.is_abandoned) {  // the caller repeats its request
          workers_.submit([driver = driver_, folder = publication.stored.folder] {
            (void)driver->remove_image(folder);
          });
          return;
        }
        end_publication(publication, staged, context, respond);
      });
}

core::Result<void> Images::check_end(const Publication& publication,
                                     const StagedFiles& staged) const {
  const auto owner = owner_of(publication.stored.image.image_id);
  if (auto owned = check_owner(view_, publication.stored.image.image_id); !owned) return owned;
  const auto& upload_id = publication.upload.upload_id;
  if (upload_id.empty()) return {};  // imports are the operator's
  if (!store_.read(keys::upload(upload_id)))
    return core::refuse(ErrorCode::not_found, "the upload was removed", "upload_id");
  return check_quota(view_, store_, owner, staged.disk.size_bytes, config_.project_bytes_max,
                     publication.upload.upload_id);
}

void Images::end_publication(Publication& publication, const core::Result<StagedFiles>& staged,
                             core::Context& context, const core::Responder<msg::Image>& respond) {
  auto& image = publication.stored.image;
  const auto erased = publishing_.erase(image.image_id);
  NUCLEUS_ASSERT(erased == 1);
  // The project may have been removed meanwhile.
  const auto allowed = staged ? check_end(publication, *staged)
                              : core::Result<void>(std::unexpected(staged.error()));
  if (!allowed) {
    refuse_publication(publication, allowed.error(), context);
    return respond(std::unexpected(allowed.error()));
  }
  const auto& disk = staged->disk;
  image.size_bytes = disk.size_bytes;
  image.virtual_bytes = disk.virtual_bytes;
  image.sha256 = disk.sha256;
  image.md5 = disk.md5;
  publication.stored.kernel = staged->kernel;
  publication.stored.initramfs = staged->initramfs;
  image.published_unix_s = context.now_unix_s();
  auto tx = store_.begin(context);
  end_upload(publication.upload, msg::UploadState::published, {}, context, tx);
  apply({.images = {publication.stored}}, view_, tx);
  auto reply = tx.commit(image);
  remove_file_when_durable(publication.upload.upload_id);
  core::log::info("image_published", {{"image", image.image_id.value},
                                      {"format", std::string(msg::name_of(image.format))},
                                      {"bytes", image.size_bytes}});
  show_counts(metrics_, view_);
  published_();
  respond(std::move(reply));
}

void Images::refuse_publication(const Publication& publication, const core::Error& error,
                                core::Context& context) {
  publication.is_abandoned->store(true);
  metrics_.uploads_refused.Increment();
  core::log::warning("image_refused", {{"image", publication.stored.image.image_id.value},
                                       {"reason", error.detail}});
  auto tx = store_.begin(context);
  // The worker may have put the folder in place, or deletes it when it ends.
  apply({.folders_doomed = {publication.stored.folder}}, view_, tx);
  const auto& upload = publication.upload;
  if (upload.finishes_itself() && error.code == ErrorCode::no_capacity) {
    // The disk is full: all bytes are there, and are checked again later.
    end_upload(upload, msg::UploadState::checking, error.detail, context, tx);
    (void)tx.commit();
    return;
  }
  end_upload(upload, msg::UploadState::failed, error.detail, context, tx);
  (void)tx.commit();
  remove_file_when_durable(upload.upload_id);
}

void Images::refuse_upload(const StoredUpload& upload, const core::Error& error,
                           core::Context& context) {
  metrics_.uploads_refused.Increment();
  core::log::warning("image_refused", {{"image", upload.image_id.value}, {"reason", error.detail}});
  auto tx = store_.begin(context);
  end_upload(upload, msg::UploadState::failed, error.detail, context, tx);
  (void)tx.commit();
  remove_file_when_durable(upload.upload_id);
}

void Images::end_upload(StoredUpload upload, msg::UploadState state, const std::string& reason,
                        core::Context& context, core::Transaction& tx) const {
  if (upload.upload_id.empty()) return;
  const auto key = keys::upload(upload.upload_id);
  if (!store_.read(key)) return;
  if (!upload.finishes_itself()) return tx.remove(key);
  upload.state = state;
  upload.reason = reason;
  upload.expires_unix_s = context.now_unix_s() + config_.upload_keep_s;
  tx.write(key, std::move(upload));
}

void Images::remove_file_when_durable(const std::string& upload_id) {
  if (upload_id.empty()) return;
  store_.when_durable([this, upload_id](const core::Result<void>& durable) {
    if (durable) workers_.submit([uploads = uploads_, upload_id] { uploads.remove(upload_id); });
  });
}

core::Result<msg::Images> Images::list_images(const msg::ListImages& request, core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  core::PageBuilder<msg::Image> page(request.page);
  const auto& images = view_.images();
  for (auto entry = images.upper_bound({request.page.after}); entry != images.end(); ++entry)
    if (const auto image = shown_image(view_, entry->second);
        is_listed(request, image) && !page.add(image, entry->first.value))
      break;
  return msg::Images{.images = page.take(), .next = page.next()};
}

core::Result<msg::Image> Images::tag_image(const msg::TagImage& request, core::Context& context) {
  const auto plan = plan_tag(view_, request);
  if (!plan) return std::unexpected(plan.error());
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  auto reply = tx.commit(shown_image(view_, *view_.image(request.image_id)));
  if (!plan->tags.empty()) published_();
  return reply;
}

core::Result<msg::Done> Images::untag_image(const msg::UntagImage& request,
                                            core::Context& context) {
  const auto plan = plan_untag(view_, request);
  if (!plan) return std::unexpected(plan.error());
  auto tx = store_.begin(context);
  apply(*plan, view_, tx);
  return tx.commit(msg::Done{});
}

void Images::remove_image(const msg::RemoveImage& request, core::Context& context,
                          core::Responder<msg::Done> respond) {
  if (auto allowed = check_removable(view_, request); !allowed)
    return respond(std::unexpected(allowed.error()));
  auto tx = store_.begin(context);
  apply({.images_removed = {request.image_id},
         .folders_doomed = {view_.image(request.image_id)->folder}},
        view_, tx);
  auto reply = tx.commit(msg::Done{});
  show_counts(metrics_, view_);
  respond(std::move(reply));
}

core::Result<void> Images::handle_project_defined(const msg::ProjectDefined& event,
                                                  core::Context& context) {
  auto tx = store_.begin(context);
  apply({.projects = {event.project_id}}, view_, tx);
  return tx.commit();
}

core::Result<void> Images::handle_project_removed(const msg::ProjectRemoved& event,
                                                  core::Context& context) {
  Plan plan{.projects_removed = {event.project_id}};
  for (const auto& [id, stored] : view_.images()) {
    if (owner_of(id) != event.project_id || !check_unused(view_, {.image_id = id})) continue;
    for (const auto& tag : view_.tags_of(id))
      plan.tags_removed.push_back({.tag = tag, .image_id = id});
    plan.images_removed.push_back(id);
    plan.folders_doomed.push_back(stored.folder);
  }
  auto tx = store_.begin(context);
  // Their files are collected as files without an upload.
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (owner_of(upload.image_id) == event.project_id) tx.remove(keys::upload(upload.upload_id));
  });
  apply(plan, view_, tx);
  auto committed = tx.commit();
  show_counts(metrics_, view_);
  return committed;
}

void Images::delete_folders(core::Context&) {
  for (const auto& folder : view_.doomed_folders()) {
    if (view_.is_folder_used(folder) || is_pinned(folder) ||
        !folders_being_deleted_.insert(folder).second)
      continue;
    // The commit that removed the image may still fail: until it is durable, the files stay.
    store_.when_durable([this, folder](core::Result<void> durable) {
      if (!durable) return;
      workers_.run<void>(
          loop_, folder_deadline,
          [driver = driver_, folder] { return driver->remove_image(folder); },
          [this, folder](const core::Result<void>& deleted) { end_deletion(folder, deleted); });
    });
  }
}

Images::Pin Images::pin(std::vector<std::string> folders) {
  auto pin = std::make_shared<const std::vector<std::string>>(std::move(folders));
  pins_.push_back(pin);
  return pin;
}

bool Images::is_pinned(const std::string& folder) {
  std::erase_if(pins_, [](const auto& pin) { return pin.expired(); });
  return std::ranges::any_of(pins_, [&](const auto& pin) {
    const auto folders = pin.lock();
    return folders && std::ranges::find(*folders, folder) != folders->end();
  });
}

void Images::end_deletion(const std::string& folder, const core::Result<void>& deleted) {
  if (folders_being_deleted_.erase(folder) == 0 || !store_.is_loaded()) return;
  if (!deleted) {
    core::log::warning("image_files_left",
                       {{"folder", folder}, {"reason", deleted.error().detail}});
    return;
  }
  core::Context context = bus_.context();
  auto tx = store_.begin(context);
  apply({.folders_deleted = {folder}}, view_, tx);
  (void)tx.commit();
}

}  // namespace nucleus::image_store

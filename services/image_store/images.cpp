// Images: uploads, imports, the checks before they are published.
#include <algorithm>
#include <filesystem>

#include "core/log/log.hpp"
#include "services/image_store/keys.hpp"
#include "services/image_store/service.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

constexpr std::int64_t upload_kept_s = 86'400;

/// PROJECT/NAME, both names.
bool is_image_id(const std::string& text) {
  const auto slash = text.find('/');
  return slash != std::string::npos && msg::is_name(std::string_view(text).substr(0, slash)) &&
         msg::is_name(std::string_view(text).substr(slash + 1));
}

/// The part before the slash: a project, or `public`.
msg::ProjectId owner_of(const msg::ImageId& image_id) {
  return {image_id.value.substr(0, image_id.value.find('/'))};
}

bool is_same_digest(std::string_view said, std::string_view found) {
  const auto same = [](char a, char b) { return std::tolower(a) == b; };
  return said.empty() || std::ranges::equal(said, found, same);
}

std::string format_name(msg::ImageFormat format) {
  return format == msg::ImageFormat::qcow2 ? "qcow2" : "raw";
}

}  // namespace

core::Result<void> Service::check_new(const msg::ImageId& image_id, msg::ImageFormat format) const {
  if (!is_image_id(image_id.value))
    return std::unexpected(msg::invalid("image_id", "image_id must be PROJECT/NAME, both names"));
  if (format == msg::ImageFormat::unknown)
    return std::unexpected(msg::invalid("format", "format must be raw, qcow2 or iso"));
  if (store_.read(keys::image(image_id)) || publishing_.contains(image_id))
    return core::refuse(ErrorCode::wrong_state, "there is an image " + image_id.value + " already",
                        "image_id");
  return {};
}

core::Result<msg::UploadTicket> Service::begin_upload(const msg::BeginUpload& request,
                                                      core::Context& context) {
  if (auto allowed = check_new(request.image_id, request.format); !allowed)
    return std::unexpected(allowed.error());
  auto tx = store_.begin(context);
  const std::string upload_id = context.new_id();
  tx.write(keys::upload(upload_id), StoredUpload{.upload_id = upload_id,
                                                 .image_id = request.image_id,
                                                 .format = request.format,
                                                 .begun_unix_s = context.now_unix_s()});
  return tx.commit(msg::UploadTicket{.upload_id = upload_id,
                                     .path = config_.uploads_directory + "/" + upload_id,
                                     .size_bytes_max = config_.upload_bytes_max});
}

void Service::finish_upload(const msg::FinishUpload& request, core::Context& context,
                            core::Responder<msg::Image> respond) {
  const auto* upload = store_.read(keys::upload(request.upload_id));
  if (!upload)
    return respond(core::refuse(ErrorCode::not_found, "there is no such upload", "upload_id"));
  if (auto allowed = check_new(upload->image_id, upload->format); !allowed)
    return respond(std::unexpected(allowed.error()));
  publish({.image = {.image_id = upload->image_id, .format = upload->format},
           .files = {.disk = config_.uploads_directory + "/" + upload->upload_id},
           .md5 = request.md5,
           .sha256 = request.sha256,
           .upload_id = upload->upload_id},
          context, std::move(respond));
}

void Service::import_image(const msg::ImportImage& request, core::Context& context,
                           core::Responder<msg::Image> respond) {
  if (auto allowed = check_new(request.image_id, request.format); !allowed)
    return respond(std::unexpected(allowed.error()));
  if (request.disk_path.empty() && request.kernel_path.empty())
    return respond(std::unexpected(msg::invalid("disk_path", "a disk or a kernel is needed")));
  if (request.kernel_path.empty() && !request.initramfs_path.empty())
    return respond(std::unexpected(msg::invalid("kernel_path", "an initramfs needs a kernel")));
  publish({.image = {.image_id = request.image_id,
                     .format = request.format,
                     .cmdline = request.cmdline},
           .files = {.disk = request.disk_path,
                     .kernel = request.kernel_path,
                     .initramfs = request.initramfs_path}},
          context, std::move(respond));
}

/// On a worker.
core::Result<CheckedFile> Service::check_and_copy(StoreDriver& driver,
                                                  const Publication& publication,
                                                  const Config& config) {
  CheckedFile checked;
  const auto& files = publication.files;
  for (const auto* path : {&files.kernel, &files.initramfs})
    if (std::error_code fault;
        !path->empty() && !config.is_simulated && !std::filesystem::is_regular_file(*path, fault))
      return core::refuse(ErrorCode::not_found, "there is no file " + *path, "kernel_path");
  // An upload is a real file, whatever its hosts are; what else a simulation names is not.
  const bool is_upload = !publication.upload_id.empty();
  if (!files.disk.empty() && (!config.is_simulated || is_upload)) {
    auto found = check_file(files.disk, publication.image.format,
                            {config.upload_bytes_max, config.virtual_bytes_max});
    if (!found) return found;
    checked = *found;
    if (!is_same_digest(publication.md5, checked.md5))
      return std::unexpected(msg::invalid("md5", "md5 does not match the file"));
    if (!is_same_digest(publication.sha256, checked.sha256))
      return std::unexpected(msg::invalid("sha256", "sha256 does not match the file"));
  }
  if (auto done = driver.publish(publication.image.image_id, files); !done)
    return std::unexpected(done.error());
  return checked;
}

/// Checks and copies on a worker; then record, event and reply at once. A repeat after a crash
/// finds the upload still there.
void Service::publish(Publication publication, core::Context context,
                      core::Responder<msg::Image> respond) {
  const std::uint64_t number = ++publication_count_;
  publishing_[publication.image.image_id] = number;
  workers_.run<CheckedFile>(
      loop_, core::Milliseconds{config_.work_deadline_ms},
      [driver = driver_, publication, config = config_] {
        return check_and_copy(*driver, publication, config);
      },
      [this, publication, context, respond, number](core::Result<CheckedFile> checked) mutable {
        // The records were loaded again meanwhile, and a repeat of the request is under way.
        const auto own = publishing_.find(publication.image.image_id);
        if (own == publishing_.end() || own->second != number) return;
        publishing_.erase(own);
        auto tx = store_.begin(context);
        if (!publication.upload_id.empty()) tx.remove(keys::upload(publication.upload_id));
        std::error_code ignored;
        const auto drop_upload = [&] {
          if (!publication.upload_id.empty())
            std::filesystem::remove(publication.files.disk, ignored);
        };
        if (!checked) {
          metrics_.uploads_refused.Increment();
          core::log::warning("image_refused", {{"image", publication.image.image_id.value},
                                               {"reason", checked.error().detail}});
          (void)tx.commit();
          drop_upload();
          return respond(std::unexpected(checked.error()));
        }
        auto& image = publication.image;
        image.size_bytes = checked->size_bytes;
        image.virtual_bytes = checked->virtual_bytes;
        image.sha256 = checked->sha256;
        image.md5 = checked->md5;
        image.published_unix_s = context.now_unix_s();
        tx.write(keys::image(image.image_id),
                 StoredImage{.image = image,
                             .has_disk = !publication.files.disk.empty(),
                             .has_kernel = !publication.files.kernel.empty(),
                             .has_initramfs = !publication.files.initramfs.empty()});
        tx.emit(msg::ImagePublished{.project_id = owner_of(image.image_id), .image = image});
        auto reply = tx.commit(image);
        store_.when_durable([drop_upload, publication](core::Result<void> durable) {
          std::error_code fault;
          if (durable && !publication.upload_id.empty())
            std::filesystem::remove(publication.files.disk, fault);
        });
        // Volumes that wait for this image.
        store_.for_each<StoredVolume>(keys::volumes(), [&](const StoredVolume& stored) {
          if (!stored.is_ready && stored.node.image_id == image.image_id)
            pending_[stored.node.node_id] = 0;
        });
        core::log::info("image_published", {{"image", image.image_id.value},
                                            {"format", format_name(image.format)},
                                            {"bytes", image.size_bytes}});
        show_counts();
        respond(std::move(reply));
      });
}

core::Result<msg::Images> Service::list_images(const msg::ListImages& request, core::Context&) {
  msg::Images reply;
  store_.for_each<StoredImage>(keys::images(), [&](const StoredImage& stored) {
    const std::string& id = stored.image.image_id.value;
    const std::string project = id.substr(0, id.find('/'));
    const bool is_theirs =
        project == "public" ||
        std::ranges::find(request.projects, msg::ProjectId{project}) != request.projects.end();
    if (is_theirs) reply.images.push_back(stored.image);
  });
  return reply;
}

void Service::remove_image(const msg::RemoveImage& request, core::Context& context,
                           core::Responder<msg::Done> respond) {
  if (!store_.read(keys::image(request.image_id)))
    return respond(core::refuse(ErrorCode::not_found,
                                "no image " + msg::shown(request.image_id.value), "image_id"));
  bool is_used = false;
  store_.for_each<StoredVolume>(keys::volumes(), [&](const StoredVolume& stored) {
    is_used |= stored.node.image_id == request.image_id || stored.node.iso_id == request.image_id;
  });
  if (is_used)
    return respond(core::refuse(ErrorCode::wrong_state,
                                "volumes of nodes stand on image " + request.image_id.value,
                                "image_id"));
  auto tx = store_.begin(context);
  tx.remove(keys::image(request.image_id));
  auto reply = tx.commit(msg::Done{});
  show_counts();
  workers_.submit([driver = driver_, image_id = request.image_id] {
    if (auto gone = driver->remove_image(image_id); !gone)
      core::log::warning("image_files_left",
                         {{"image", image_id.value}, {"reason", gone.error().detail}});
  });
  respond(std::move(reply));
}

void Service::drop_old_uploads(core::Context& context) {
  std::vector<std::string> old;
  store_.for_each<StoredUpload>(keys::uploads(), [&](const StoredUpload& upload) {
    if (context.now_unix_s() - upload.begun_unix_s > upload_kept_s) old.push_back(upload.upload_id);
  });
  if (old.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& upload_id : old) {
    tx.remove(keys::upload(upload_id));
    workers_.submit([path = config_.uploads_directory + "/" + upload_id] {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    });
  }
  (void)tx.commit();
}

}  // namespace nucleus::image_store

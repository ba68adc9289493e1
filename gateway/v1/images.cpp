// REST v1: images (docs/rest-v1.md, Images). An upload belongs to the caller's first project; only
// operators publish images for all.
#include "gateway/credentials/credentials.hpp"
#include "gateway/uploads/uploads.hpp"
#include "gateway/v1/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// Adds the ISOs after `after` to `names`, page by page, and replies with all of them.
void list_isos(const ExchangePtr& exchange, Json names, const std::string& after) {
  exchange->ask(msg::ListImages{.viewer = {.projects = exchange->who.projects},
                                .format = msg::ImageFormat::iso,
                                .page = {.limit = msg::page_entries_max, .after = after}},
                [exchange, names = std::move(names)](const msg::Images& images) mutable {
                  for (const auto& image : images.images) names.push_back(image.image_id.value);
                  if (images.next.empty()) return exchange->reply(200, names);
                  list_isos(exchange, std::move(names), images.next);
                });
}

void list_images(const ExchangePtr& exchange) {
  list_isos(exchange, Json::array(), "");
}

core::Result<Part> file_part(const std::string& path, const std::string& content_type) {
  auto parts = find_parts(path, content_type);
  if (!parts) return std::unexpected(parts.error());
  for (auto& part : *parts)
    if (part.name == "file") return std::move(part);
  return core::refuse(ErrorCode::invalid_argument, "the body has no part named file", "file");
}

void upload(const ExchangePtr& exchange, const FileWork& work) {
  if (exchange->who.projects.empty())
    return exchange->refuse(ErrorCode::forbidden, "You are not a member of a project");
  work.workers.run<Part>(
      work.loop, file_work_timeout,
      [upload = exchange->upload, type = exchange->request.header("Content-Type"),
       digest = exchange->request.header("Digest")]() -> core::Result<Part> {
        if (auto same =
                digest.empty() ? core::Result<void>{} : check_file_digest(digest, upload->path);
            !same)
          return std::unexpected(same.error());
        return file_part(upload->path, type);
      },
      [exchange, work](const core::Result<Part>& part) {
        if (!part) return exchange->refuse(part.error());
        if (!msg::is_name(part->file_name))
          return exchange->refuse(
              ErrorCode::invalid_argument,
              "the file's name must be 1 to 64 letters, digits, - _ . and begin with a letter or "
              "digit",
              "file");
        const msg::BeginUpload begin{
            .image_id = {exchange->who.projects.front().value + "/" + part->file_name},
            .format = msg::ImageFormat::iso};
        store_upload(exchange, work, *part, begin, {.md5 = exchange->request.header("md5")},
                     [exchange](const msg::Image&) { exchange->reply_nothing(); });
      });
}

}  // namespace

void add_v1_image_routes(Router& router, const FileWork& work) {
  router.add("GET", "/v1/image", msg::Right::read, list_images);
  router.add("POST", "/v1/image", msg::Right::images,
             [work](const ExchangePtr& exchange) { upload(exchange, work); });
}

}  // namespace nucleus::gateway

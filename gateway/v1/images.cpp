// REST v1: images (compat 1.2, rows 21 and 22, and 1.10). An upload belongs to the caller's first
// project: what is public is the operator's to publish.
#include "gateway/credentials.hpp"
#include "gateway/multipart.hpp"
#include "gateway/v1/routes.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds check_deadline{600'000};  // a large file is hashed and copied

void list_images(const ExchangePtr& exchange) {
  exchange->ask(msg::ListImages{.projects = exchange->who.projects},
                [exchange](const msg::Images& images) {
                  Json names = Json::array();
                  for (const auto& image : images.images)
                    if (image.format == msg::ImageFormat::iso)
                      names.push_back(image.image_id.value);
                  exchange->reply(200, names);
                });
}

core::Result<Part> file_part(const std::string& path, const std::string& content_type) {
  auto parts = find_parts(path, content_type);
  if (!parts) return std::unexpected(parts.error());
  for (auto& part : *parts)
    if (part.name == "file") return std::move(part);
  return core::refuse(ErrorCode::invalid_argument, "the body has no part named file", "file");
}

/// The last step: bytes to their place, then the image store checks and publishes them.
void store(const ExchangePtr& exchange, const V1Means& means, const Part& part,
           const msg::UploadTicket& ticket) {
  means.workers.run<msg::Done>(
      means.loop, check_deadline,
      [upload = exchange->upload, part, path = ticket.path]() -> core::Result<msg::Done> {
        if (auto copied = copy_part(upload->path, part, path); !copied)
          return std::unexpected(copied.error());
        return msg::Done{};
      },
      [exchange, ticket](const core::Result<msg::Done>& copied) {
        if (!copied) return exchange->refuse(copied.error());
        exchange->ask(msg::FinishUpload{.upload_id = ticket.upload_id,
                                        .md5 = exchange->request.header("md5")},
                      [exchange](const msg::Image&) { exchange->reply_nothing(); },
                      {.deadline = check_deadline});
      });
}

void upload(const ExchangePtr& exchange, const V1Means& means) {
  if (exchange->who.projects.empty())
    return exchange->refuse(ErrorCode::forbidden, "You are in no project");
  means.workers.run<Part>(
      means.loop, check_deadline,
      [upload = exchange->upload, type = exchange->request.header("Content-Type"),
       digest = exchange->request.header("Digest")]() -> core::Result<Part> {
        if (auto same =
                digest.empty() ? core::Result<void>{} : check_file_digest(digest, upload->path);
            !same)
          return std::unexpected(same.error());
        return file_part(upload->path, type);
      },
      [exchange, means](const core::Result<Part>& part) {
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
        exchange->ask(begin, [exchange, means, part = *part](const msg::UploadTicket& ticket) {
          store(exchange, means, part, ticket);
        });
      });
}

}  // namespace

void add_v1_image_routes(Router& router, const V1Means& means) {
  router.add("GET", "/v1/image", msg::Right::read, list_images);
  router.add("POST", "/v1/image", msg::Right::images,
             [means](const ExchangePtr& exchange) { upload(exchange, means); });
}

}  // namespace nucleus::gateway

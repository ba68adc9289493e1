#include "gateway/uploads/uploads.hpp"

#include <algorithm>
#include <filesystem>

#include "core/log/log.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

bool is_upload(const core::http::Request& request) {
  const auto segments = segments_of(request.path);
  if (request.method == "POST") return segments == std::vector<std::string>{"v1", "image"};
  return request.method == "PUT" && segments.size() == 4 && segments[0] == "v2" &&
         segments[1] == "images";
}

namespace {

core::Result<msg::ImageId> own_image(const Exchange& exchange, const std::string& project,
                                     const std::string& image, const char* field) {
  if (!(project == "public" ? exchange.is_operator()
                            : msg::sees(exchange.who, msg::ProjectId{project})))
    return core::refuse(ErrorCode::not_found, "no such project");
  if (!msg::is_name(image))
    return core::refuse(
        ErrorCode::invalid_argument,
        "image must be 1 to 64 letters, digits, - _ . and begin with a letter or digit", field);
  return msg::ImageId{project + "/" + image};
}

}  // namespace

core::Result<msg::ImageId> image_of(const Exchange& exchange) {
  return own_image(exchange, exchange.path.at("project"), exchange.path.at("image"), "image");
}

core::Result<msg::ImageId> image_to_make(const Exchange& exchange, const std::string& image_id) {
  const auto slash = image_id.find('/');
  if (slash == std::string::npos)
    return std::unexpected(msg::invalid("image_id", "image_id must be PROJECT/NAME"));
  return own_image(exchange, image_id.substr(0, slash), image_id.substr(slash + 1), "image_id");
}

core::Result<msg::BeginUpload> upload_of(const Exchange& exchange) {
  auto image = image_of(exchange);
  if (!image) return std::unexpected(image.error());
  const auto format = msg::enum_of<msg::ImageFormat>(exchange.request.query_value("format"));
  if (format == msg::ImageFormat::unknown)
    return core::refuse(ErrorCode::invalid_argument, "format must be raw, qcow2 or iso", "format");
  return msg::BeginUpload{.image_id = std::move(*image), .format = format};
}

void check_upload(const ExchangePtr& exchange, std::function<void()> next) {
  if (exchange->is_v1()) {
    if (exchange->request.header("md5").empty())
      return exchange->refuse(ErrorCode::invalid_argument, "md5 was not provided", "md5");
    return next();
  }
  const auto begin = upload_of(*exchange);
  if (!begin) return exchange->refuse(begin.error());
  exchange->ask(
      msg::ListImages{.viewer = {.projects = {{exchange->path.at("project")}}},
                      .project_id = {exchange->path.at("project")},
                      .name = exchange->path.at("image")},
      [exchange, id = begin->image_id, next](const msg::Images& images) {
        if (std::ranges::find(images.images, id, &msg::Image::image_id) != images.images.end())
          return exchange->refuse(ErrorCode::conflict, "an image of this name exists");
        next();
      });
}

void store_upload(const ExchangePtr& exchange, const FileWork& work, const Part& part,
                  const msg::BeginUpload& image, const msg::FinishUpload& digests,
                  std::function<void(const msg::Image&)> done) {
  exchange->ask(image, [exchange, work, part, digests,
                        done = std::move(done)](const msg::UploadTicket& ticket) {
    auto finish = digests;
    finish.upload_id = ticket.upload_id;
    work.workers.run<void>(
        work.loop, file_work_timeout,
        [upload = exchange->upload, part, path = ticket.path] {
          auto copied = copy_part(upload->path, part, path);
          std::error_code ignored;
          if (!copied) std::filesystem::remove(path, ignored);
          return copied;
        },
        [exchange, finish, done](const core::Result<void>& copied) {
          if (!copied) {
            core::log::warning("upload_not_stored", {{"reason", copied.error().detail}});
            return exchange->refuse(copied.error());
          }
          exchange->ask(finish, done, {.deadline = file_work_timeout});
        });
  });
}

}  // namespace nucleus::gateway

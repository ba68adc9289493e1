// Uploads of images: which requests have one, what is refused before the body is read, and the copy
// to the image store.
#pragma once

#include "core/loop/loop.hpp"
#include "gateway/routing/exchange.hpp"
#include "gateway/uploads/multipart.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

/// Where slow work with files runs.
struct FileWork {
  core::Loop& loop;
  core::Workers& workers;
};

constexpr core::Milliseconds file_work_timeout{600'000};  // a large file is hashed and copied

/// True if the request's body is a file of up to `gateway.upload_bytes_max`: a POST to `/v1/image`,
/// or a PUT to `/v2/images/{project}/{image}`.
bool is_upload(const core::http::Request& request);

/// Refuses what can be refused by the head: a project that the caller is not a member of, a name
/// that is taken or malformed, an unknown format, a missing MD5 in v1.
void check_upload(const ExchangePtr& exchange, std::function<void()> next);

/// The id of the path's {project}/{image}: of a project that the caller is a member of, or public
/// for operators.
core::Result<msg::ImageId> image_of(const Exchange& exchange);
/// PROJECT/NAME of the body's `image_id`, by the same rules.
core::Result<msg::ImageId> image_to_make(const Exchange& exchange, const std::string& image_id);

/// The image of a v2 PUT.
core::Result<msg::BeginUpload> upload_of(const Exchange& exchange);

/// Copies the bytes to the place that the image store names; it checks and publishes them.
void store_upload(const ExchangePtr& exchange, const FileWork& work, const Part& part,
                  const msg::BeginUpload& image, const msg::FinishUpload& digests,
                  std::function<void(const msg::Image&)> done);

}  // namespace nucleus::gateway

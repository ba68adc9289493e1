// Images on their way in: which requests carry one, what is refused before its bytes are read, and
// how the bytes reach the image store.
#pragma once

#include "core/loop/loop.hpp"
#include "gateway/routing/exchange.hpp"
#include "gateway/uploads/multipart.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

/// Where a request's slow work with files is done.
struct FileWork {
  core::Loop& loop;
  core::Workers& workers;
};

constexpr core::Milliseconds file_work_deadline{600'000};  // a large file is hashed and copied

/// Whether the request's body is a file of up to `gateway.upload_bytes_max`. A POST of v1's
/// `/v1/image`, or a PUT of `/v2/images/{project}/{image}`.
bool is_upload(const HttpRequest& request);

/// Refuses what is wrong by the head alone: a project that the caller is not in, a name that is
/// taken or none, a format that is none, no MD5 where v1 wants one.
void check_upload(const ExchangePtr& exchange, std::function<void()> next);

/// What a PUT of v2 says of its image.
core::Result<msg::BeginUpload> upload_of(const Exchange& exchange);

/// Copies the bytes to the image store's place for them; it checks and publishes them.
void store_upload(const ExchangePtr& exchange, const FileWork& work, const Part& part,
                  const msg::BeginUpload& image, const msg::FinishUpload& digests,
                  std::function<void(const msg::Image&)> done);

}  // namespace nucleus::gateway

// The tus 1.0 protocol for resumable uploads: the heads of requests and responses. Pure functions.
// https://tus.io/protocols/resumable-upload, with the extensions expiration, checksum and
// termination; uploads are created by the gateway.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/http/http.hpp"
#include "core/result.hpp"
#include "services/image_store/driver/upload_writer.hpp"

namespace nucleus::image_store {

/// The upload that a request is about, with the ticket that opens it.
struct UploadAccess {
  std::string upload_id = {};
  std::string ticket = {};
};

/// The method, which a client behind a proxy may send as X-HTTP-Method-Override.
std::string tus_method(const core::http::Request& request);
/// `wrong_state`: another version of the protocol; `unauthenticated`: no bearer token; `not_found`:
/// the path is not /uploads/ID.
core::Result<UploadAccess> parse_access(const core::http::Request& request);
/// The part that a PATCH sends. `invalid_argument` of a header; of Content-Type, it is answered
/// with 415.
core::Result<UploadPart> parse_part(const core::http::Request& request,
                                    const std::string& upload_id);

/// A response without a body.
core::http::Response tus_response(int status, core::http::Headers headers = {});
core::http::Response tus_refusal(int status, const std::string& detail);
/// 400, 401, 404, 409 (wrong offset), 410, 412, 415, 423 (locked), 460 (checksum), 507 or 503.
core::http::Response tus_refusal(const core::Error& error);
/// The answer to OPTIONS.
core::http::Response tus_options(std::uint64_t size_bytes_max);
/// Allows a page of one of these origins to read the response, and to send what a preflight asks
/// for. A page of another origin is allowed nothing.
void allow_origin(const core::http::Request& request, const std::vector<std::string>& origins,
                  core::http::Response& response);
/// The value of Upload-Expires.
std::string http_date(std::int64_t unix_s);

}  // namespace nucleus::image_store

#include "services/image_store/driver/tus.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/http/request_parts.hpp"
#include "messages/common.hpp"

namespace nucleus::image_store {

namespace http = core::http;
using core::ErrorCode;

namespace {

constexpr std::string_view tus_version = "1.0.0";
constexpr std::string_view uploads_path = "/uploads/";
constexpr std::size_t upload_id_bytes = 32;
constexpr const char* preflight_keep_s = "600";

bool is_upload_id(std::string_view text) {
  return text.size() == upload_id_bytes && std::ranges::all_of(text, [](unsigned char c) {
           return std::isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

core::Result<std::uint64_t> parse_offset(const std::string& text) {
  std::uint64_t offset = 0;
  const auto* end = text.data() + text.size();
  const auto [at, fault] = std::from_chars(text.data(), end, offset);
  if (text.empty() || fault != std::errc{} || at != end)
    return std::unexpected(
        msg::invalid("Upload-Offset", "Upload-Offset must be a number of bytes"));
  return offset;
}

core::Result<PartChecksum> parse_checksum(const std::string& text) {
  const auto space = text.find(' ');
  const auto name = text.substr(0, space);
  PartChecksum checksum;
  std::size_t digest_bytes = 32;
  if (name == "sha1") {
    checksum.algorithm = core::Hasher::Algorithm::sha1;
    digest_bytes = 20;
  } else if (name != "sha256") {
    return std::unexpected(
        msg::invalid("Upload-Checksum", "Upload-Checksum must be of sha1 or sha256"));
  }
  const auto digest = space == text.npos
                          ? std::nullopt
                          : core::from_base64(std::string_view(text).substr(space + 1));
  if (!digest || digest->size() != digest_bytes)
    return std::unexpected(
        msg::invalid("Upload-Checksum", "Upload-Checksum must be sha1 or sha256 and its Base64"));
  checksum.digest = *digest;
  return checksum;
}

int status_of(const core::Error& error) {
  switch (error.code) {
    case ErrorCode::unauthenticated:
      return 401;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::forbidden:
      return 410;
    case ErrorCode::conflict:
      return error.field == "Upload-Checksum" ? 460 : 409;
    case ErrorCode::no_capacity:
      return 507;
    case ErrorCode::wrong_state:
      return error.field == "Tus-Resumable" ? 412 : 423;
    case ErrorCode::invalid_argument:
      return error.field == "Content-Type" ? 415 : 400;
    default:
      return 503;
  }
}

}  // namespace

std::string tus_method(const http::Request& request) {
  const auto stated = request.header("X-HTTP-Method-Override");
  return stated.empty() ? request.sent_method() : stated;
}

core::Result<UploadAccess> parse_access(const http::Request& request) {
  if (request.header("Tus-Resumable") != tus_version)
    return core::refuse(ErrorCode::wrong_state, "Tus-Resumable must be 1.0.0", "Tus-Resumable");
  auto ticket = http::token_of(request);
  if (!ticket)
    return core::refuse(ErrorCode::unauthenticated,
                        "the upload's ticket is needed: Authorization: Bearer");
  const std::string_view path = request.path;
  const auto id = path.starts_with(uploads_path) ? path.substr(uploads_path.size()) : "";
  if (!is_upload_id(id) || !request.query.empty())
    return core::refuse(ErrorCode::not_found, "no such upload");
  return UploadAccess{.upload_id = std::string(id), .ticket = std::move(*ticket)};
}

core::Result<UploadPart> parse_part(const http::Request& request, const std::string& upload_id) {
  if (request.header("Content-Type") != "application/offset+octet-stream")
    return std::unexpected(
        msg::invalid("Content-Type", "Content-Type must be application/offset+octet-stream"));
  const auto offset = parse_offset(request.header("Upload-Offset"));
  if (!offset) return std::unexpected(offset.error());
  UploadPart part{.upload_id = upload_id, .offset = *offset};
  if (const auto stated = request.header("Upload-Checksum"); !stated.empty()) {
    auto checksum = parse_checksum(stated);
    if (!checksum) return std::unexpected(checksum.error());
    part.checksum = std::move(*checksum);
  }
  return part;
}

http::Response tus_response(int status, http::Headers headers) {
  headers["Tus-Resumable"] = tus_version;
  headers["Cache-Control"] = "no-store";
  return {.status = status, .headers = std::move(headers)};
}

http::Response tus_refusal(int status, const std::string& detail) {
  auto response = tus_response(status, {{"Content-Type", "text/plain; charset=utf-8"}});
  response.body = detail + "\n";
  if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
  if (status == 412) response.headers["Tus-Version"] = tus_version;
  if (status == 405) response.headers["Allow"] = "OPTIONS, HEAD, PATCH, DELETE";
  if (status == 503 || status == 423) response.headers["Retry-After"] = "1";
  return response;
}

http::Response tus_refusal(const core::Error& error) {
  return tus_refusal(status_of(error), error.detail);
}

http::Response tus_options(std::uint64_t size_bytes_max) {
  return tus_response(204, {{"Tus-Version", std::string(tus_version)},
                            {"Tus-Max-Size", std::to_string(size_bytes_max)},
                            {"Tus-Extension", "expiration,checksum,termination"},
                            {"Tus-Checksum-Algorithm", "sha1,sha256"}});
}

void allow_origin(const http::Request& request, const std::vector<std::string>& origins,
                  http::Response& response) {
  if (origins.empty()) return;
  response.headers["Vary"] = "Origin";
  const auto origin = request.header("Origin");
  if (std::ranges::find(origins, origin) == origins.end()) return;
  response.headers["Access-Control-Allow-Origin"] = origin;
  response.headers["Access-Control-Expose-Headers"] =
      "Upload-Offset, Upload-Length, Upload-Expires, Retry-After, Tus-Resumable";
  if (request.sent_method() != "OPTIONS") return;
  response.headers["Access-Control-Allow-Methods"] = "HEAD, PATCH, DELETE";
  response.headers["Access-Control-Allow-Headers"] =
      "Authorization, Content-Type, Tus-Resumable, Upload-Offset, Upload-Checksum";
  response.headers["Access-Control-Max-Age"] = preflight_keep_s;
}

std::string http_date(std::int64_t unix_s) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(unix_s));
}

}  // namespace nucleus::image_store

// v2: resumable uploads of images, and imports by URL. The gateway passes no bytes: the client
// sends them to the image store by tus 1.0, with the ticket that it gets here.
#include "core/digest/digest.hpp"
#include "gateway/json/numbers.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// The fields of `Upload-Metadata: NAME BASE64,NAME BASE64`, as tus clients send them.
core::Result<msg::BeginUpload> tus_creation(const core::http::Request& request) {
  const auto size = whole_number<std::uint64_t>(request.header("Upload-Length"));
  if (!size)
    return std::unexpected(
        msg::invalid("Upload-Length", "Upload-Length must be the number of bytes"));
  msg::BeginUpload begin{.size_bytes = *size};
  const auto text = request.header("Upload-Metadata");
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    const auto pair = text.substr(at, end - at);
    at = text.find_first_not_of(' ', end + 1);
    const auto space = std::min(pair.find(' '), pair.size());
    const auto value =
        core::from_base64(std::string_view(pair).substr(std::min(space + 1, pair.size())));
    if (!value)
      return std::unexpected(
          msg::invalid("Upload-Metadata", "Upload-Metadata must be names with Base64"));
    const auto name = pair.substr(0, space);
    if (name == "format") begin.format = msg::enum_of<msg::ImageFormat>(*value);
    if (name == "firmware") begin.firmware = msg::enum_of<msg::Firmware>(*value);
    if (name == "sha256") begin.sha256 = *value;
    if (name == "md5") begin.md5 = *value;
  }
  return begin;
}

Json ticket_json(const msg::UploadTicket& ticket) {
  return {{"upload_id", ticket.upload_id},
          {"url", ticket.url},
          {"ticket", ticket.ticket},
          {"size_bytes", ticket.size_bytes_max},
          {"offset_bytes", ticket.offset_bytes},
          {"expires_unix_s", ticket.expires_unix_s}};
}

/// What was asked, for the image that the path names.
core::Result<msg::BeginUpload> for_image(const Exchange& exchange,
                                         core::Result<msg::BeginUpload> begin) {
  const auto image = image_of(exchange);
  if (!image) return std::unexpected(image.error());
  if (!begin) return begin;
  if (begin->format == msg::ImageFormat::unknown)
    return std::unexpected(msg::invalid("format", "format must be raw, qcow2 or iso"));
  begin->image_id = *image;
  begin->person_id = exchange.who.person_id;
  begin->token_id = exchange.who.token_id;
  begin->person_uid = exchange.who.person_uid;
  return begin;
}

void begin_upload(const ExchangePtr& exchange) {
  const bool is_tus = !exchange->request.header("Upload-Length").empty();
  auto begin = is_tus ? tus_creation(exchange->request)
                      : body_as<msg::BeginUpload>(
                            *exchange, {"format", "size_bytes", "sha256", "md5", "firmware"});
  begin = for_image(*exchange, std::move(begin));
  if (!begin) return exchange->refuse(begin.error());
  if (begin->size_bytes == 0)
    return exchange->refuse(msg::invalid("size_bytes", "size_bytes must be at least 1"));
  exchange->ask(*begin, [exchange](const msg::UploadTicket& ticket) {
    reply_one(
        exchange, 201, ticket_json(ticket), 0,
        {{"Location", ticket.url}, {"Tus-Resumable", "1.0.0"}, {"Cache-Control", "no-store"}});
  });
}

void begin_import(const ExchangePtr& exchange) {
  auto begin =
      body_as<msg::BeginUpload>(*exchange, {"format", "source_url", "sha256", "md5", "firmware"});
  begin = for_image(*exchange, std::move(begin));
  if (!begin) return exchange->refuse(begin.error());
  if (begin->source_url.empty())
    return exchange->refuse(msg::invalid("source_url", "source_url must be set"));
  exchange->ask(*begin, [exchange](const msg::UploadTicket& begun) {
    reply_one(exchange, 202,
              {{"upload_id", begun.upload_id}, {"expires_unix_s", begun.expires_unix_s}});
  });
}

bool is_upload_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_image_id(const std::string& text) {
  const auto slash = std::min(text.find('/'), text.size());
  return msg::is_name(text.substr(0, slash)) && slash < text.size() &&
         msg::is_name(text.substr(slash + 1));
}

void list_uploads(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  if (!page->after.empty() && !is_upload_id(page->after))
    return exchange->refuse(msg::invalid("after", "after is not a cursor of this list"));
  const auto image = exchange->request.query_value("image_id");
  if (exchange->request.query.contains("image_id") && !is_image_id(image))
    return exchange->refuse(msg::invalid("image_id", "image_id must be PROJECT/NAME"));
  exchange->ask(
      msg::ListUploads{.viewer = msg::viewer_of(exchange->who), .image_id = {image}, .page = *page},
      [exchange](const msg::ImageUploads& found) {
        reply_list(exchange, "uploads", found.uploads, found.next);
      });
}

void get_upload(const ExchangePtr& exchange) {
  exchange->ask(msg::ListUploads{.viewer = msg::viewer_of(exchange->who),
                                 .upload_id = exchange->path["upload"]},
                [exchange](const msg::ImageUploads& found) {
                  if (found.uploads.empty())
                    return exchange->refuse(ErrorCode::not_found, "no such upload");
                  reply_one(exchange, 200, json_of(found.uploads.front()));
                });
}

void remove_upload(const ExchangePtr& exchange) {
  exchange->ask(msg::RemoveUpload{.viewer = msg::viewer_of(exchange->who),
                                  .upload_id = exchange->path["upload"]},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

}  // namespace

void add_v2_upload_routes(Router& router) {
  router.add("POST", "/v2/images/{project}/{image}/uploads", msg::Right::images, begin_upload);
  router.add("POST", "/v2/images/{project}/{image}/import", msg::Right::images, begin_import);
  router.add("GET", "/v2/uploads", msg::Right::read, list_uploads).takes_page().takes({"image_id"});
  router.add("GET", "/v2/uploads/{upload}", msg::Right::read, get_upload).takes({"fields"});
  router.add("DELETE", "/v2/uploads/{upload}", msg::Right::images, remove_upload);
}

}  // namespace nucleus::gateway

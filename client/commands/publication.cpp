#include "client/commands/publication.hpp"

#include <chrono>

#include "client/commands/transfer.hpp"
#include "client/http/url.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/terminal.hpp"
#include "messages/common.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr std::chrono::milliseconds publication_look_delay{500};

std::uint64_t bytes_in(const Json& upload, const char* field) {
  return static_cast<std::uint64_t>(upload[field].number().value_or(0));
}

/// What the server does with it now.
std::string shown_progress(const Json& upload) {
  if (upload["state"].text() == "checking") return "the server checks it";
  const auto received = shown_bytes(bytes_in(upload, "offset_bytes")) + " received";
  const auto& reason = upload["reason"].text();
  return reason.empty() ? received : received + "; " + reason + "; it is tried again";
}

}  // namespace

core::Result<std::string> new_image_id(const Api& api, const std::string& name) {
  if (name.find_first_not_of("0123456789") == std::string::npos)
    return core::refuse(ErrorCode::invalid_argument,
                        "an image's name must not be a number, which is an index in the list");
  const auto slash = name.find('/');
  const auto project = slash == std::string::npos ? "" : name.substr(0, slash);
  if ((slash != std::string::npos && !msg::is_name(project)) ||
      !msg::is_name(name.substr(slash + 1)))
    return core::refuse(ErrorCode::invalid_argument,
                        "the image's name must be NAME or PROJECT/NAME, each 1 to 64 letters, "
                        "digits, - _ . beginning with a letter or digit");
  if (!project.empty()) return name;
  const auto me = api.get("/v2/me");
  if (!me) return std::unexpected(me.error());
  const auto projects = (*me)["projects"].items();
  if (projects.empty())
    return core::refuse(ErrorCode::forbidden, "you are not a member of a project");
  return projects.front().text() + "/" + name;
}

std::string path_of_image(const std::string& image_id) {
  const auto slash = image_id.find('/');
  return "/v2/images/" + encoded(image_id.substr(0, slash)) + "/" +
         encoded(image_id.substr(slash + 1));
}

core::Error refused_image(core::Error error, const std::string& image_id) {
  if (error.code == ErrorCode::not_found)
    error.detail = "no such project: " + image_id.substr(0, image_id.find('/'));
  return error;
}

core::Result<int> wait_until_published(const Api& api, const std::string& image_id,
                                       const std::string& upload_id) {
  ProgressLine line;
  while (true) {
    const auto upload = api.get("/v2/uploads/" + encoded(upload_id));
    if (!upload && upload.error().code != ErrorCode::unavailable)
      return std::unexpected(upload.error());
    const auto state = upload ? (*upload)["state"].text() : "";
    if (state == "published") return 0;
    if (state == "failed")
      return core::refuse(ErrorCode::invalid_argument,
                          "image " + image_id + ": " + (*upload)["reason"].text());
    if (upload && is_output_terminal())
      line.show("image " + image_id + ": " + shown_progress(*upload));
    sleep_until_interrupt(publication_look_delay);
    if (is_interrupted())
      return core::refuse(ErrorCode::unavailable, "interrupted; the server goes on");
  }
}

}  // namespace nucleus::client

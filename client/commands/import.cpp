// image import: the image store fetches the file; this program only waits.
#include <iostream>
#include <utility>

#include "client/commands/commands.hpp"
#include "client/commands/publication.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// The last part of the URL's path.
std::string file_name_of(const std::string& url) {
  const auto path = url.substr(0, url.find_first_of("?#"));
  return path.substr(path.rfind('/') + 1);
}

/// By its ending; empty if that says nothing.
std::string format_of_name(const std::string& name) {
  for (const auto& [ending, format] :
       {std::pair{".qcow2", "qcow2"}, std::pair{".raw", "raw"}, std::pair{".iso", "iso"}})
    if (name.ends_with(ending)) return format;
  return {};
}

}  // namespace

core::Result<int> import_image(const Api& api, const Words& words) {
  const std::string url = words["URL"];
  const auto file = file_name_of(url);
  const auto name = words.has("--imagename") ? words["--imagename"] : file;
  const auto format = words.has("--imageformat") ? words["--imageformat"] : format_of_name(file);
  if (name.empty())
    return core::refuse(ErrorCode::invalid_argument, "the URL names no file: give --imagename");
  if (format.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "the ending of the URL names no format: give --imageformat");
  const auto image_id = new_image_id(api, name);
  if (!image_id) return std::unexpected(image_id.error());
  const auto begun = api.post(
      path_of_image(*image_id) + "/import",
      Json::object({{"format", format},
                    {"source_url", url},
                    {"sha256", words.has("--sha256") ? words["--sha256"] : std::string()},
                    {"firmware", words.has("--firmware") ? words["--firmware"] : "bios"}}));
  if (!begun) return std::unexpected(refused_image(begun.error(), *image_id));
  const auto done = wait_until_published(api, *image_id, (*begun)["upload_id"].text());
  if (!done) return done;
  std::cout << "image " << *image_id << " imported\n";
  return 0;
}

}  // namespace nucleus::client

// image and iso, which are two names for the same commands.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// The full name of an image: given with or without `public/`, or by its index in `iso list`.
core::Result<std::string> iso_named(const Api& api, const std::string& text) {
  const auto images = api.get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  const auto has = [&](const std::string& name) {
    return std::ranges::any_of(images->items(),
                               [&](const Json& each) { return each.text() == name; });
  };
  if (has(text)) return text;
  if (has("public/" + text)) return "public/" + text;
  if (text.find_first_not_of("0123456789") != std::string::npos)
    return core::refuse(ErrorCode::not_found, "no such image: " + msg::shown(text));
  const auto index = static_cast<std::size_t>(std::stoul("0" + text.substr(0, 9)));
  if (index < 1 || index > images->items().size())
    return core::refuse(ErrorCode::invalid_argument, "no image has index " + text);
  return images->items()[index - 1].text();
}

}  // namespace

core::Result<int> list_images(const Api& api, const Words& words) {
  const auto images = api.get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  Listing listing{.columns = {"index", "name"}};
  for (const auto& image : images->items())
    listing.rows.push_back({std::to_string(listing.rows.size() + 1), image.text()});
  return print(listing, words["--format"], *images);
}

core::Result<int> upload_image(const Api& api, const Words& words) {
  const auto path = words["PATH"];
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault))
    return core::refuse(ErrorCode::invalid_argument, "not a file: " + path);
  std::string name = std::filesystem::path(path).filename().string();
  for (const char* option : {"--isoname", "--imagename"})
    if (words.has(option)) name = words[option];
  const auto size = std::max<std::uintmax_t>(std::filesystem::file_size(path, fault), 1);
  ProgressLine line;
  const OnProgress show = [&](std::uint64_t sent) {
    const auto percent = std::min<std::uintmax_t>(100, sent * 100 / size);
    line.show("image " + name + ": " + std::to_string(percent) + " % sent");
  };
  if (auto done =
          api.upload("/nucleus/v1/image", path, name, is_output_terminal() ? show : nullptr);
      !done)
    return std::unexpected(done.error());
  std::cout << "image " << name << " uploaded\n";
  return 0;
}

core::Result<int> attach_image(const Api& api, const Words& words) {
  const bool is_attach = std::string_view(words.command().name) == "attach";
  std::string iso;
  if (is_attach) {
    const auto named = iso_named(api, words["IMAGE"]);
    if (!named) return std::unexpected(named.error());
    iso = *named;
  }
  std::vector<std::string> paths = {"frontend"};
  if (words.has("NODES")) {
    const auto names = names_in(words["NODES"]);
    if (!names) return std::unexpected(names.error());
    paths.clear();
    for (const auto& name : *names) paths.push_back("compute/" + encoded(name));
  }
  for (const auto& path : paths)
    if (auto done = api.put("/nucleus/v1/cluster/" + encoded(words["CLUSTER"]) + "/" + path +
                            "/attach_iso?iso_name=" + encoded(iso));
        !done)
      return core::refuse(done.error().code, path + ": " + done.error().detail);
  std::cout << (is_attach ? "attached" : "detached")
            << "; it takes effect after power off and on\n";
  return 0;
}

}  // namespace nucleus::client

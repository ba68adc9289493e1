// image and iso, which are two names for the same commands.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// The full name of an image: given with or without its project, or by its index in `iso list`.
core::Result<std::string> iso_named(const Api& api, const std::string& text) {
  const auto images = api.get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  std::vector<std::string> found;
  for (const auto& image : images->items()) {
    const auto& name = image.text();
    if (name == text) return name;
    if (name.substr(name.find('/') + 1) == text) found.push_back(name);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1)
    return core::refuse(ErrorCode::invalid_argument,
                        "give the project too: there are " + found[0] + " and " + found[1]);
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
  if (name.find_first_not_of("0123456789") == std::string::npos)
    return core::refuse(ErrorCode::invalid_argument,
                        "an image's name must not be a number, which is an index in the list");
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
  const auto cluster = words["CLUSTER"];
  const auto known = get_cluster(api, cluster);
  if (!known) return std::unexpected(known.error());
  std::vector<std::string> nodes = {(*known)["frontend"]["name"].text()};
  if (words.has("NODES")) {
    const auto names = names_in(words["NODES"]);
    if (!names) return std::unexpected(names.error());
    nodes = *names;
  }
  if (auto checked = check_members(*known, nodes); !checked)
    return std::unexpected(checked.error());
  const auto done = api.send("PUT", "/v2/clusters/" + encoded(cluster) + "/iso",
                             Json::object({{"nodes", list_of(nodes)}, {"iso_id", iso}}));
  if (!done && done.error().code == ErrorCode::not_found)
    return core::refuse(ErrorCode::not_found,
                        "image " + iso + " does not belong to the project of cluster " + cluster);
  if (!done) return std::unexpected(done.error());
  std::cout << (is_attach ? "attached" : "detached")
            << "; it takes effect after power off and on\n";
  return 0;
}

}  // namespace nucleus::client

// image and iso, which are two names for the same commands.
#include <ctime>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/commands/publication.hpp"
#include "client/commands/transfer.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

enum class Shown : unsigned char { images, isos };

/// The images that the caller may use; of `iso` the ISOs alone.
core::Result<Json> images_of(const Api& api, Shown shown) {
  const auto images = api.get_all("/v2/images?limit=1000", "images");
  if (!images || shown == Shown::images) return images;
  Json isos = Json::list();
  for (const auto& image : images->items())
    if (image["format"].text() == "iso") isos.add(image);
  return isos;
}

/// An image: given with or without its project, or by its index in the list.
core::Result<Json> image_named(const Api& api, Shown shown, const std::string& text) {
  const auto images = images_of(api, shown);
  if (!images) return std::unexpected(images.error());
  std::vector<Json> found;
  for (const auto& image : images->items()) {
    const auto& name = image["image_id"].text();
    if (name == text) return image;
    if (name.substr(name.find('/') + 1) == text) found.push_back(image);
  }
  if (found.size() == 1) return found.front();
  if (found.size() > 1)
    return core::refuse(ErrorCode::invalid_argument, "give the project too: there are " +
                                                         found[0]["image_id"].text() + " and " +
                                                         found[1]["image_id"].text());
  if (text.find_first_not_of("0123456789") != std::string::npos)
    return core::refuse(ErrorCode::not_found, "no such image: " + msg::shown(text));
  const auto index = static_cast<std::size_t>(std::stoul("0" + text.substr(0, 9)));
  if (index < 1 || index > images->items().size())
    return core::refuse(ErrorCode::invalid_argument, "no image has index " + text);
  return images->items()[index - 1];
}

std::string size_of(const Json& image, const char* field) {
  return shown_bytes(static_cast<std::uint64_t>(image[field].number().value_or(0)));
}

std::string age_of(const Json& image) {
  const auto published = image["published_unix_s"].number().value_or(0);
  return published > 0 ? shown_seconds(std::time(nullptr) - published) : "";
}

std::string tags_of(const Json& image) {
  std::string tags;
  for (const auto& tag : image["tags"].items()) tags += (tags.empty() ? "" : ", ") + tag.text();
  return tags;
}

/// Of this image, as NAME:TAG or PROJECT/NAME:TAG.
std::string path_of_tag(const std::string& image_id, const std::string& tag) {
  const auto project = image_id.substr(0, image_id.find('/') + 1);
  return path_of_image(image_id) + "/tags/" +
         encoded(tag.starts_with(project) ? tag.substr(project.size()) : tag);
}

core::Result<int> list(const Api& api, Shown shown, const Words& words) {
  const auto images = images_of(api, shown);
  if (!images) return std::unexpected(images.error());
  Listing listing{.columns = {"index", "name", "format", "size", "age", "tags"}};
  for (const auto& image : images->items())
    listing.rows.push_back({std::to_string(listing.rows.size() + 1), image["image_id"].text(),
                            image["format"].text(), size_of(image, "size_bytes"), age_of(image),
                            tags_of(image)});
  return print(listing, words["--format"], *images);
}

core::Result<int> show_one(const Api& api, Shown shown, const Words& words) {
  const auto image = image_named(api, shown, words["IMAGE"]);
  if (!image) return std::unexpected(image.error());
  Listing listing{.columns = {"attribute", "value"}};
  listing.rows = {{"name", (*image)["image_id"].text()},
                  {"format", (*image)["format"].text()},
                  {"size", size_of(*image, "size_bytes")},
                  {"disk size", size_of(*image, "virtual_bytes")},
                  {"age", age_of(*image)},
                  {"tags", tags_of(*image)},
                  {"firmware", (*image)["firmware"].text()},
                  {"sha256", (*image)["sha256"].text()},
                  {"md5", (*image)["md5"].text()}};
  return print(listing, words["--format"], *image);
}

core::Result<int> remove(const Api& api, Shown shown, const Words& words) {
  const auto image = image_named(api, shown, words["IMAGE"]);
  if (!image) return std::unexpected(image.error());
  const auto& image_id = (*image)["image_id"].text();
  const auto removed = api.remove(path_of_image(image_id) +
                                  (words.has("--keep-clones") ? "?kept_for_clones=true" : ""));
  if (!removed) return std::unexpected(removed.error());
  std::cout << "image " << image_id << " removed\n";
  return 0;
}

core::Result<int> attach(const Api& api, Shown shown, const Words& words) {
  const bool is_attach = std::string_view(words.command().name) == "attach";
  std::string iso;
  if (is_attach) {
    const auto named = image_named(api, shown, words["IMAGE"]);
    if (!named) return std::unexpected(named.error());
    iso = (*named)["image_id"].text();
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

}  // namespace

core::Result<int> list_images(const Api& api, const Words& words) {
  return list(api, Shown::images, words);
}
core::Result<int> list_isos(const Api& api, const Words& words) {
  return list(api, Shown::isos, words);
}
core::Result<int> show_image(const Api& api, const Words& words) {
  return show_one(api, Shown::images, words);
}
core::Result<int> show_iso(const Api& api, const Words& words) {
  return show_one(api, Shown::isos, words);
}
core::Result<int> remove_image(const Api& api, const Words& words) {
  return remove(api, Shown::images, words);
}
core::Result<int> tag_image(const Api& api, const Words& words) {
  const auto image = image_named(api, Shown::images, words["IMAGE"]);
  if (!image) return std::unexpected(image.error());
  const auto& image_id = (*image)["image_id"].text();
  const auto tagged = api.send("PUT", path_of_tag(image_id, words["TAG"]), Json::object());
  if (!tagged) return std::unexpected(tagged.error());
  std::cout << words["TAG"] << " names image " << image_id << "\n";
  return 0;
}
core::Result<int> untag_image(const Api& api, const Words& words) {
  const auto image = image_named(api, Shown::images, words["IMAGE"]);
  if (!image) return std::unexpected(image.error());
  const auto removed = api.remove(path_of_tag((*image)["image_id"].text(), words["TAG"]));
  if (!removed) return std::unexpected(removed.error());
  std::cout << "tag " << words["TAG"] << " removed\n";
  return 0;
}
core::Result<int> remove_iso(const Api& api, const Words& words) {
  return remove(api, Shown::isos, words);
}
core::Result<int> attach_image(const Api& api, const Words& words) {
  return attach(api, Shown::images, words);
}
core::Result<int> attach_iso(const Api& api, const Words& words) {
  return attach(api, Shown::isos, words);
}

}  // namespace nucleus::client

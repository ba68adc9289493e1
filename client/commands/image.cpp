// image and iso: the two generations' words for the same thing.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/views.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

core::Result<int> list_images(const Api& api, const std::string& format) {
  const auto images = api.get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  Listing listing{.columns = {"index", "name"}};
  for (const auto& image : *images)
    listing.rows.push_back({std::to_string(listing.rows.size() + 1),
                            image.is_string() ? image.get<std::string>() : std::string()});
  return print(listing, format, *images);
}

core::Result<int> upload(const Api& api, const std::string& path, const std::string& said) {
  std::error_code fault;
  if (!std::filesystem::is_regular_file(path, fault))
    return core::refuse(ErrorCode::invalid_argument, path + " is no file");
  const std::string name = said.empty() ? std::filesystem::path(path).filename().string() : said;
  if (auto done = api.upload("/nucleus/v1/image", path, name); !done)
    return std::unexpected(done.error());
  std::cout << "image " << name << " uploaded\n";
  return 0;
}

/// A name, with or without its `public/`, or its number in `iso list`, from 1.
core::Result<std::string> iso_named(const Api& api, const std::string& text) {
  const auto images = api.get("/nucleus/v1/image");
  if (!images) return std::unexpected(images.error());
  const auto has = [&](const std::string& name) {
    return std::ranges::find(*images, Json(name)) != images->end();
  };
  if (has(text)) return text;
  if (has("public/" + text)) return "public/" + text;
  if (text.find_first_not_of("0123456789") != std::string::npos)
    return core::refuse(ErrorCode::not_found, "there is no iso " + msg::shown(text));
  const auto index = static_cast<std::size_t>(std::stoul("0" + text.substr(0, 9)));
  if (index < 1 || index > images->size())
    return core::refuse(ErrorCode::invalid_argument, "there is no iso number " + text);
  return (*images)[index - 1].get<std::string>();
}

struct AttachArguments {
  std::string iso = {};  // empty = detach
  std::string cluster = {};
  std::string nodes = {};
  bool is_attach = false;
};

core::Result<int> attach(const Api& api, const AttachArguments& arguments) {
  std::string iso;
  if (arguments.is_attach) {
    const auto named = iso_named(api, arguments.iso);
    if (!named) return std::unexpected(named.error());
    iso = *named;
  }
  std::vector<std::string> paths = {"frontend"};
  if (!arguments.nodes.empty()) {
    const auto names = names_in(arguments.nodes);
    if (!names) return std::unexpected(names.error());
    paths.clear();
    for (const auto& name : *names) paths.push_back("compute/" + encoded(name));
  }
  for (const auto& path : paths)
    if (auto done = api.put("/nucleus/v1/cluster/" + encoded(arguments.cluster) + "/" + path +
                            "/attach_iso?iso_name=" + encoded(iso));
        !done)
      return core::refuse(done.error().code, path + ": " + done.error().detail);
  std::cout << (arguments.is_attach ? "attached" : "detached")
            << "; it takes effect after power off and on\n";
  return 0;
}

void add_group(CLI::App& app, Action& chosen, const std::string& word) {
  auto* group = app.add_subcommand(word, "installation disks");
  group->require_subcommand(1);
  auto* list = group->add_subcommand("list", "public ones and your own");
  auto format = add_format_option(*list);
  list->callback([&chosen, format] {
    chosen = [format](const Api& api) { return list_images(api, *format); };
  });

  auto* put = group->add_subcommand("upload", "send one; it is checked before it is listed");
  auto path = std::make_shared<std::string>();
  auto name = std::make_shared<std::string>();
  put->add_option("PATH", *path, "an ISO file")->required();
  put->add_option("--" + word + "name", *name, "its name there; else the file's");
  put->callback([&chosen, path, name] {
    chosen = [path, name](const Api& api) { return upload(api, *path, *name); };
  });

  for (const bool is_attach : {true, false}) {
    auto* command = group->add_subcommand(is_attach ? "attach" : "detach",
                                          is_attach ? "put it into nodes" : "take it out");
    auto arguments = std::make_shared<AttachArguments>();
    arguments->is_attach = is_attach;
    if (is_attach)
      command->add_option("IMAGE", arguments->iso, "or its number in the list")->required();
    command->add_option("CLUSTER", arguments->cluster, "whose nodes")->required();
    command->add_option("NODES", arguments->nodes, "a list; else the frontend");
    command->callback([&chosen, arguments] {
      chosen = [arguments](const Api& api) { return attach(api, *arguments); };
    });
  }
}

}  // namespace

void add_image(CLI::App& app, Action& chosen) {
  add_group(app, chosen, "image");
  add_group(app, chosen, "iso");
}

}  // namespace nucleus::client

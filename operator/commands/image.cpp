// nucleus image import and import-folder.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include "messages/image_store.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::operator_ {

namespace {

constexpr core::Milliseconds import_timeout{600'000};

struct ImportArguments {
  std::string state = {};
  std::string name = {};
  std::string disk = {};
  std::string kernel = {};
  std::string initramfs = {};
  std::string cmdline = {};
  std::string format = "qcow2";
  std::string firmware = "bios";
};

/// The service has another working directory, so only absolute paths are sent.
std::string absolute(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

core::Result<int> import(const ImportArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  if (arguments.disk.empty() && arguments.kernel.empty())
    return core::refuse(core::ErrorCode::invalid_argument, "--disk or --kernel must be given");
  const msg::ImportImage request{
      .image_id = {arguments.name.find('/') == std::string::npos ? "public/" + arguments.name
                                                                 : arguments.name},
      .format = msg::enum_of<msg::ImageFormat>(arguments.format),
      .disk_path = absolute(arguments.disk),
      .kernel_path = absolute(arguments.kernel),
      .initramfs_path = absolute(arguments.initramfs),
      .cmdline = arguments.cmdline,
      .firmware = msg::enum_of<msg::Firmware>(arguments.firmware)};
  const auto image = (*opened)->call(request, {.deadline = import_timeout});
  if (!image) return std::unexpected(image.error());
  std::cout << fmt::format("image {}: {} bytes, sha256 {}\n", image->image_id.value,
                           image->size_bytes, image->sha256);
  return 0;
}

struct FolderArguments {
  std::string state = {};
  std::string folder = {};
  std::string project = "public";
};

/// By the file's ending; `unknown` = not an image.
msg::ImageFormat format_of(const std::filesystem::path& file) {
  const auto ending = file.extension();
  if (ending == ".qcow2") return msg::ImageFormat::qcow2;
  if (ending == ".raw" || ending == ".img") return msg::ImageFormat::raw;
  if (ending == ".iso") return msg::ImageFormat::iso;
  return msg::ImageFormat::unknown;
}

/// Files that are images by their endings, by name; also symbolic links, to be refused by name:
/// whoever may write to a directory must not choose files outside it.
core::Result<std::vector<std::filesystem::path>> images_in(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code fault;
  for (std::filesystem::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault))
    if ((entry->is_symlink() || entry->is_regular_file()) &&
        format_of(entry->path()) != msg::ImageFormat::unknown)
      files.push_back(std::filesystem::absolute(entry->path()));
  if (fault)
    return core::refuse(core::ErrorCode::invalid_argument, folder + ": " + fault.message(),
                        "directory");
  std::ranges::sort(files);
  return files;
}

/// Publishes one file, and prints what became of it.
bool import_file(Caller& caller, const std::filesystem::path& file, const std::string& project) {
  const auto refused = [&](const std::string& reason) {
    std::cerr << fmt::format("nucleus: {}: {}\n", file.string(), reason);
    return false;
  };
  if (std::filesystem::is_symlink(file)) return refused("a symbolic link is not followed");
  const msg::ImageId id{project + "/" + file.stem().string()};
  const auto image =
      caller.call(msg::ImportImage{.image_id = id, .format = format_of(file), .disk_path = file},
                  {.deadline = import_timeout});
  if (!image) return refused(image.error().detail);
  std::cout << fmt::format("image {}: {} bytes, sha256 {}\n", id.value, image->size_bytes,
                           image->sha256);
  return true;
}

core::Result<int> import_folder(const FolderArguments& arguments) {
  const auto files = images_in(arguments.folder);
  if (!files) return std::unexpected(files.error());
  if (files->empty())
    return core::refuse(core::ErrorCode::invalid_argument,
                        arguments.folder + " has no .qcow2, .raw, .img or .iso files", "directory");
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  int status = 0;
  for (const auto& file : *files)
    if (!import_file(**opened, file, arguments.project)) status = 1;
  return status;
}

}  // namespace

void add_image(Commands& commands) {
  auto group = commands.group("image", "published disks");
  group.add<ImportArguments>(
      "import", "publish an image from files on this machine", import,
      [](CommandOptions& options, ImportArguments& arguments) {
        options.state(arguments.state);
        options.add("NAME", arguments.name, "PROJECT/NAME; or NAME for a public image").required();
        options.add("--disk", arguments.disk, "disk image").existing_file();
        options.add("--format", arguments.format, "format of the disk image")
            .one_of({"raw", "qcow2", "iso"})
            .show_default();
        options.add("--firmware", arguments.firmware, "what the disk boots with")
            .one_of({"bios", "uefi"})
            .show_default();
        options.add("--kernel", arguments.kernel, "kernel for direct boot").existing_file();
        options.add("--initramfs", arguments.initramfs, "initramfs for direct boot")
            .existing_file();
        options.add_free_text("--cmdline", arguments.cmdline, "kernel command line");
      });
  group.add<FolderArguments>(
      "import-folder", "publish every .qcow2, .raw, .img and .iso file of a directory",
      import_folder, [](CommandOptions& options, FolderArguments& arguments) {
        options.state(arguments.state);
        options.add("DIRECTORY", arguments.folder, "on this machine; an image is named as its file")
            .required();
        options.add("--project", arguments.project, "whose images they are").name().show_default();
      });
}

}  // namespace nucleus::operator_

// nucleus image import.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

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
      .cmdline = arguments.cmdline};
  const auto image = (*opened)->call(request, {.deadline = import_timeout});
  if (!image) return std::unexpected(image.error());
  std::cout << fmt::format("image {}: {} bytes, sha256 {}\n", image->image_id.value,
                           image->size_bytes, image->sha256);
  return 0;
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
        options.add("--kernel", arguments.kernel, "kernel for direct boot").existing_file();
        options.add("--initramfs", arguments.initramfs, "initramfs for direct boot")
            .existing_file();
        options.add_free_text("--cmdline", arguments.cmdline, "kernel command line");
      });
}

}  // namespace nucleus::operator_

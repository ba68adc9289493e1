// nucleus image import, and nucleus host list, drain and resume.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "messages/image_store.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/tables.hpp"

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

struct HostArguments {
  std::string state = {};
  msg::DrainHost request = {};
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

core::Result<int> list_hosts(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed = call_all_pages(**opened, msg::ListHosts{}, &msg::Hosts::hosts);
  if (!listed) return std::unexpected(listed.error());
  std::cout << host_heading();
  for (const auto& host : *listed) std::cout << host_row(host);
  return 0;
}

core::Result<int> drain_or_resume(const HostArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto& request = arguments.request;
  if (auto done = (*opened)->call(request); !done) return std::unexpected(done.error());
  std::cout << fmt::format("host {} is {}\n", request.host_id.value,
                           request.is_drained ? "drained: no new nodes start there" : "resumed");
  return 0;
}

void describe_drain(CommandOptions& options, HostArguments& arguments) {
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").required();
  options.add_free_text("--reason", arguments.request.reason, "one line, shown in lists of hosts");
}

void describe_resume(CommandOptions& options, HostArguments& arguments) {
  arguments.request.is_drained = false;
  options.state(arguments.state);
  options.add("HOST", arguments.request.host_id.value, "name of the host").required();
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

void add_host(Commands& commands) {
  auto group = commands.group("host", "machines that run domains");
  group.add<HostArguments>(
      "list", "list all hosts", list_hosts,
      [](CommandOptions& options, HostArguments& arguments) { options.state(arguments.state); });
  group.add<HostArguments>("drain", "place no new nodes on a host", drain_or_resume,
                           describe_drain);
  group.add<HostArguments>("resume", "undo drain", drain_or_resume, describe_resume);
}

}  // namespace nucleus::operator_

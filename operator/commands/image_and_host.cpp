// nucleus image import, and nucleus host list, drain, resume.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "messages/image_store.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

constexpr core::Milliseconds import_deadline{600'000};

struct ImportArguments {
  std::shared_ptr<std::string> state = {};
  std::string name = {};
  std::string disk = {};
  std::string kernel = {};
  std::string initramfs = {};
  std::string cmdline = {};
  std::string format = "qcow2";
};

/// The service has another working directory: only whole paths travel.
std::string whole(const std::string& path) {
  return path.empty() ? path : std::filesystem::absolute(path).string();
}

core::Result<int> import(const ImportArguments& arguments) {
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  if (arguments.disk.empty() && arguments.kernel.empty())
    return core::refuse(core::ErrorCode::invalid_argument, "say --disk, or --kernel, or both");
  const msg::ImportImage request{
      .image_id = {arguments.name.find('/') == std::string::npos ? "public/" + arguments.name
                                                                 : arguments.name},
      .format = msg::enum_of<msg::ImageFormat>(arguments.format),
      .disk_path = whole(arguments.disk),
      .kernel_path = whole(arguments.kernel),
      .initramfs_path = whole(arguments.initramfs),
      .cmdline = arguments.cmdline};
  const auto image = caller.call(request, {.deadline = import_deadline});
  if (!image) return std::unexpected(image.error());
  std::cout << fmt::format("image {}: {} bytes, sha256 {}\n", image->image_id.value,
                           image->size_bytes, image->sha256);
  return 0;
}

core::Result<int> list_hosts(const std::string& directory) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  const auto listed = call_all_pages(caller, msg::ListHosts{}, &msg::Hosts::hosts);
  if (!listed) return std::unexpected(listed.error());
  std::cout << fmt::format("{:<22}{:<13}{:>12}{:>20}  {}\n", "host", "state", "cpus", "memory MB",
                           "accelerator");
  for (const auto& host : *listed)
    std::cout << fmt::format(
        "{:<22}{:<13}{:>12}{:>20}  {} {}\n", host.host_id.value, msg::name_of(host.state),
        fmt::format("{}/{}", host.cpus_used, host.cpus),
        fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), host.accelerator, host.reason);
  return 0;
}

core::Result<int> drain_host(const std::string& directory, const msg::DrainHost& request) {
  const auto opened = open_caller(directory);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  if (auto done = caller.call(request); !done) return std::unexpected(done.error());
  std::cout << fmt::format("host {} is {}\n", request.host_id.value,
                           request.is_drained ? "drained: nothing new starts there" : "resumed");
  return 0;
}

void add_drain(CLI::App& group, Action& chosen, bool is_drained) {
  auto* command =
      group.add_subcommand(is_drained ? "drain" : "resume",
                           is_drained ? "start nothing new there" : "start there again");
  auto state = add_state_option(*command);
  auto request = std::make_shared<msg::DrainHost>();
  request->is_drained = is_drained;
  command->add_option("HOST", request->host_id.value, "its name")->required();
  if (is_drained) command->add_option("--reason", request->reason, "one line, for people");
  command->callback([&chosen, state, request] {
    chosen = [state, request] { return drain_host(*state, *request); };
  });
}

}  // namespace

void add_image(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("image", "published disks");
  group->require_subcommand(1);
  auto* command = group->add_subcommand("import", "publish an image from files of this machine");
  auto arguments = std::make_shared<ImportArguments>();
  arguments->state = add_state_option(*command);
  command->add_option("NAME", arguments->name, "NAME, or PROJECT/NAME; else it is public")
      ->required();
  command->add_option("--disk", arguments->disk, "its disk")->check(CLI::ExistingFile);
  command->add_option("--format", arguments->format, "of the disk")
      ->check(CLI::IsMember({"raw", "qcow2", "iso"}))
      ->capture_default_str();
  command->add_option("--kernel", arguments->kernel, "to boot directly")->check(CLI::ExistingFile);
  command->add_option("--initramfs", arguments->initramfs, "beside it")->check(CLI::ExistingFile);
  command->add_option("--cmdline", arguments->cmdline, "the kernel's arguments");
  command->callback([&chosen, arguments] { chosen = [arguments] { return import(*arguments); }; });
}

void add_host(CLI::App& app, Action& chosen) {
  auto* group = app.add_subcommand("host", "the machines that hold domains");
  group->require_subcommand(1);
  auto* list = group->add_subcommand("list", "every host");
  auto state = add_state_option(*list);
  list->callback([&chosen, state] { chosen = [state] { return list_hosts(*state); }; });
  add_drain(*group, chosen, true);
  add_drain(*group, chosen, false);
}

}  // namespace nucleus::op

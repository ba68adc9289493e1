#include "services/provisioner/driver/disk_files.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/files/files.hpp"
#include "core/log/log.hpp"
#include "core/runtime/child_process.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::milliseconds image_tool_timeout{20'000};
constexpr const char* new_name = "disk.new";
constexpr std::string_view overlay_beginning = "disk.";
constexpr std::string_view overlay_ending = ".qcow2";
constexpr std::string_view sealed_ending = ".sealed";

std::string continues_path(const std::string& directory) {
  return directory + "/continues";
}

/// 0 = the file is not an overlay.
std::int64_t number_of(std::string_view name) {
  if (!name.starts_with(overlay_beginning) || !name.ends_with(overlay_ending)) return 0;
  name.remove_prefix(overlay_beginning.size());
  if (name.size() <= overlay_ending.size()) return 0;
  name.remove_suffix(overlay_ending.size());
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  return fault == std::errc{} && end == name.data() + name.size() ? number : 0;
}

/// It may never have run.
core::Result<void> give_to(const std::string& path, const QemuUser& user) {
  if (user.uid == 0 || lchown(path.c_str(), user.uid, user.gid) == 0) return {};
  return core::refuse_errno("cannot give the disk to QEMU's user");
}

}  // namespace

std::vector<DiskFile> disk_files(const std::string& directory) {
  std::vector<DiskFile> files;
  if (auto top = top_path(directory); is_there(top)) files.push_back({.path = std::move(top)});
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(directory, fault))
    if (const auto number = number_of(entry.path().filename().string()); number > 0)
      files.push_back({.path = overlay_path(directory, number), .added_unix_s = number});
  std::ranges::sort(files, {}, &DiskFile::added_unix_s);
  return files;
}

std::string overlay_path(const std::string& directory, std::int64_t added_unix_s) {
  return directory + "/disk." + std::to_string(added_unix_s) + ".qcow2";
}

std::vector<std::string> sealed_files(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(layers_directory(directory), fault))
    if (entry.path().extension() == sealed_ending) files.push_back(entry.path());
  return files;
}

std::string content_of_file(const std::string& directory, const std::string& path) {
  std::error_code fault;
  for (const auto& entry : fs::directory_iterator(layers_directory(directory), fault))
    if (entry.path().extension() == overlay_ending && is_same_file(entry.path(), path))
      return entry.path().stem();
  return {};
}

std::string continued_by_disk(const std::string& directory) {
  std::ifstream file(continues_path(directory), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

core::Result<void> set_continued(const std::string& directory, const std::string& content_id) {
  if (continued_by_disk(directory) == content_id) return {};
  auto done = core::replace_file(continues_path(directory), content_id, {.is_durable = true});
  core::sync_path(directory);
  return done;
}

bool is_there(const std::string& path) {
  std::error_code fault;
  return fs::exists(path, fault);
}

bool is_same_file(const std::string& one, const std::string& other) {
  std::error_code fault;
  return fs::equivalent(one, other, fault);
}

core::Result<void> remove_file(const std::string& path) {
  std::error_code fault;
  if (fs::remove(path, fault)) core::sync_path(fs::path(path).parent_path());
  if (fault) return core::refuse_fault("cannot remove a file of the disk", fault);
  return {};
}

core::Result<void> rename_file(const std::string& from, const std::string& to) {
  std::error_code fault;
  fs::rename(from, to, fault);
  if (fault) return core::refuse_fault("cannot rename a file of the disk", fault);
  core::sync_path(fs::path(to).parent_path());
  core::sync_path(fs::path(from).parent_path());
  return {};
}

core::Result<void> link_file(const std::string& from, const std::string& to) {
  std::error_code fault;
  fs::create_hard_link(from, to, fault);
  if (fault) return core::refuse_fault("cannot link a file of the disk", fault);
  core::sync_path(fs::path(to).parent_path());
  return {};
}

core::Result<void> make_disk_file(const std::string& path, std::uint64_t bytes,
                                  const QemuUser& user) {
  const std::string made = fs::path(path).parent_path() / new_name;
  const auto done = core::must_run_child(
      {.argv = {"qemu-img", "create", "-q", "-f", "qcow2", made, std::to_string(bytes)},
       .deadline = image_tool_timeout});
  if (!done) return core::refuse(done.error().code, "the disk cannot be made");
  if (auto given = give_to(made, user); !given) return given;
  core::sync_path(made);
  return rename_file(made, path);
}

core::Result<void> run_image_tool(const std::string& directory, std::vector<std::string> arguments,
                                  const QemuUser& user, std::chrono::milliseconds deadline) {
  std::vector<std::string> argv = {"env", "-C", directory};
  if (user.uid != 0)
    argv.insert(argv.end(), {"setpriv", "--reuid", std::to_string(user.uid), "--regid",
                             std::to_string(user.gid), "--clear-groups", "--no-new-privs"});
  argv.emplace_back("qemu-img");
  std::ranges::move(arguments, std::back_inserter(argv));
  const auto done = core::must_run_child({.argv = std::move(argv), .deadline = deadline});
  if (!done) return std::unexpected(done.error());
  return {};
}

core::Result<void> strip_base(const std::string& top, const QemuUser& user) {
  const fs::path path = top;
  if (auto given = give_to(top, user); !given) return given;
  const auto done = run_image_tool(
      path.parent_path(), {"rebase", "-u", "-f", "qcow2", "-b", "", path.filename().string()}, user,
      image_tool_timeout);
  if (done) return {};
  core::log::warning("disk_not_sealed", {{"disk", top}, {"reason", done.error().detail}});
  return core::refuse(done.error().code, "the disk cannot be sealed");
}

}  // namespace nucleus::provisioner

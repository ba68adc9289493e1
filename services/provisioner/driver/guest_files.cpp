#include "services/provisioner/driver/guest_files.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "core/files/files.hpp"

namespace nucleus::provisioner {

namespace fs = std::filesystem;
using core::ErrorCode;

namespace {

core::Result<void> own(const std::string& path, const QemuUser& user) {
  if (lchown(path.c_str(), user.uid, user.gid) == 0) return {};
  return core::refuse(ErrorCode::unavailable,
                      "cannot give " + fs::path(path).filename().string() +
                          " to QEMU's user: " + std::generic_category().message(errno));
}

/// A file that does not exist is QEMU's to report.
void make_readable(const std::string& path) {
  std::error_code ignored;
  constexpr auto read = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  constexpr auto enter = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  fs::permissions(path, read, fs::perm_options::add, ignored);
  fs::permissions(fs::path(path).parent_path(), enter, fs::perm_options::add, ignored);
}

}  // namespace

core::Result<QemuUser> find_qemu_user(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> text{};
  getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
  if (!found || found->pw_uid == 0)
    return core::refuse(ErrorCode::not_found, "no such unprivileged user: " + msg::shown(name));
  return QemuUser{.uid = found->pw_uid, .gid = found->pw_gid};
}

core::Result<void> make_firmware_variables(const DomainSpec& spec) {
  const auto& firmware = spec.firmware;
  std::error_code fault;
  if (firmware.code.empty() || fs::exists(firmware.variables, fault)) return {};
  if (!fs::exists(firmware.code, fault) || !fs::exists(firmware.initial, fault))
    return core::refuse(ErrorCode::unavailable,
                        "its image needs UEFI firmware, which is not installed on this host");
  const fs::path made = firmware.variables + ".new";
  fs::copy_file(firmware.initial, made, fs::copy_options::overwrite_existing, fault);
  if (!fault) {
    core::sync_path(made);
    fs::rename(made, firmware.variables, fault);
  }
  if (fault) return core::refuse_fault("cannot make the variables of its firmware", fault);
  return {};
}

core::Result<void> give_files(const DomainSpec& spec) {
  if (spec.user.uid == 0) return {};
  if (!spec.firmware.code.empty())
    if (auto done = own(spec.firmware.variables, spec.user); !done) return done;
  if (auto done = own(spec.runtime_dir, spec.user); !done) return done;
  for (const auto& disk : spec.disks) {
    if (disk.is_read_only || disk.is_cdrom) {
      make_readable(disk.path);
      continue;
    }
    auto files = disk.layers;
    files.push_back(disk.path);
    for (const auto& file : files) {
      if (auto done = own(file, spec.user); !done) return done;
      std::error_code ignored;
      fs::permissions(fs::path(file).parent_path(), fs::perms::others_exec, fs::perm_options::add,
                      ignored);
    }
  }
  for (const auto* path : {&spec.kernel, &spec.initramfs})
    if (!path->empty()) make_readable(*path);
  return {};
}

}  // namespace nucleus::provisioner

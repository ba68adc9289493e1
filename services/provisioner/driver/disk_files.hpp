// The files of a node's disk as they are in the directory of its volume (see disk_layers.hpp), and
// single changes of them. Blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// A file that a domain writes, or wrote before it had the next one: each lies on the one before.
struct DiskFile {
  std::string path = {};
  std::int64_t added_unix_s = 0;  // of disk.NUMBER.qcow2; 0 = disk.qcow2, with which it starts
};

/// Oldest first; more than one only if the domain got overlays while it ran.
std::vector<DiskFile> disk_files(const std::string& directory);

std::string overlay_path(const std::string& directory, std::int64_t added_unix_s);

/// The paths of layers/*.sealed.
std::vector<std::string> sealed_files(const std::string& directory);

/// The content id of the layer that this file is, too; empty = it is not published.
std::string content_of_file(const std::string& directory, const std::string& path);

/// The content id of the layer below the oldest file that is not published; empty = the base.
std::string continued_by_disk(const std::string& directory);
core::Result<void> set_continued(const std::string& directory, const std::string& content_id);

bool is_there(const std::string& path);
bool is_same_file(const std::string& one, const std::string& other);

/// Durably.
core::Result<void> remove_file(const std::string& path);
core::Result<void> rename_file(const std::string& from, const std::string& to);
core::Result<void> link_file(const std::string& from, const std::string& to);

/// An empty qcow2 file, which appears at the path when it is complete.
core::Result<void> make_disk_file(const std::string& path, std::uint64_t bytes,
                                  const QemuUser& user);

/// Runs qemu-img as QEMU's user in the directory: what it reads was written by QEMU, and that user
/// may not reach the directory from the root.
core::Result<void> run_image_tool(const std::string& directory, std::vector<std::string> arguments,
                                  const QemuUser& user, std::chrono::milliseconds deadline);

/// Tops that earlier releases made, and those below which files were merged, name another file.
/// Fails while QEMU has the file open.
core::Result<void> strip_base(const std::string& top, const QemuUser& user);

}  // namespace nucleus::provisioner

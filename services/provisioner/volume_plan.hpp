// A node's volume on a host that keeps volumes of its own: which files are copied from the image
// store, and where the disk is whose missing content is read from there. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/provisioner.hpp"
#include "services/provisioner/config.hpp"

namespace nucleus::provisioner {

/// A file of the image store that is copied whole.
struct FileCopy {
  std::string url = {};
  std::string path = {};         // of the copy
  std::uint64_t size_bytes = 0;  // 0 = not known
  std::string sha256 = {};       // hex; empty = not known
};

/// What one generation of a disk saved: a qcow2 file that is only read.
struct DiskLayer {
  std::string content_id = {};
  FileCopy file = {};  // not copied if this host has sealed it itself
};

/// A disk that is written on this host. What it does not have yet is read from its newest layer,
/// then from the one before it, and so on; at last from its base.
struct LocalDisk {
  std::string path = {};  // a qcow2 file
  std::uint64_t bytes = 0;
  std::vector<DiskLayer> layers = {};  // oldest first
  std::string base_url = {};           // empty = none: it is empty at first
  std::string base_content_id = {};
  std::string base_format = {};  // qcow2 or raw
};

struct HostVolume {
  msg::NodeId node_id = {};
  std::string directory = {};  // has the disk; the node's alone
  std::string ticket = {};
  std::vector<FileCopy> copies = {};
  std::optional<LocalDisk> disk = {};
  // Paths of copies; empty = the node has none.
  std::string kernel = {};
  std::string initramfs = {};
  std::string iso = {};
};

/// Needs `config.image_store_url`.
HostVolume plan_host_volume(const msg::Volume& volume, const Config& config);

/// `wrong_state` if the node's disk is not where this host would look for it: it must not start
/// with another disk.
core::Result<void> check_disk_place(const msg::Grant& grant, const Config& config);

/// Where the base of the node's disk is served to its domain.
std::string base_socket(const HostVolume& volume);

/// Where this host's chunks are served to the servers of bases: in the directory of all volumes.
constexpr std::string_view chunk_socket_name = "chunks.socket";
std::string chunk_socket(const Config& config);
/// The path in the URL of an image's disk.
std::string base_path(const std::string& content_id);

/// Where the directory of a node's volume has its disk, its layers, one of them, and a disk that
/// was sealed by a save.
std::string top_path(const std::string& directory);
std::string layers_directory(const std::string& directory);
std::string layer_path(const std::string& directory, const std::string& content_id);
std::string sealed_path(const std::string& directory, const std::string& save_id);

/// The directory of all volumes of this host, and that of copied files.
std::string volumes_directory(const Config& config);
std::string copies_directory(const Config& config);

}  // namespace nucleus::provisioner

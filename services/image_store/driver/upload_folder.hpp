// The folder of uploads, a file each: written by the gateway, or by UploadWriter as bytes arrive.
// The number of bytes received is the size of the file, unless a mark beside it says that a part
// with a checksum is being written: then it is what the mark says. Everything but `path_of` blocks,
// so it runs on workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::image_store {

class UploadFolder {
 public:
  explicit UploadFolder(std::filesystem::path path) : path_{std::move(path)} {}

  std::string path_of(const std::string& upload_id) const { return path_ / upload_id; }
  std::string mark_of(const std::string& upload_id) const { return path_of(upload_id) + ".mark"; }
  core::Result<void> create() const;
  /// The bytes received; 0 if there is no such upload.
  std::uint64_t offset_of(const std::string& upload_id) const;
  /// Drops what was written after a mark. Only while nothing writes to the upload.
  core::Result<void> roll_back(const std::string& upload_id) const;
  /// Makes new and removed files durable.
  void sync() const;
  /// Does nothing if there is no such upload. What cannot be removed is left for the operator.
  void remove(const std::string& upload_id) const;

  struct Found {
    std::string upload_id = {};  // of a file that is not ours, its name
    std::uint64_t offset_bytes = 0;
  };
  /// What has files in the folder.
  std::vector<Found> list() const;

 private:
  std::filesystem::path path_;
};

}  // namespace nucleus::image_store

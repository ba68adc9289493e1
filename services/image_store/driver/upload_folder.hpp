// The folder that the gateway writes uploads to, a file each. Everything but `path_of` blocks, so
// it runs on workers.
#pragma once

#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace nucleus::image_store {

class UploadFolder {
 public:
  explicit UploadFolder(std::filesystem::path path) : path_{std::move(path)} {}

  std::string path_of(const std::string& upload_id) const { return path_ / upload_id; }
  core::Result<void> create() const {
    std::error_code fault;
    std::filesystem::create_directories(path_, fault);
    if (fault)
      return core::refuse(core::ErrorCode::internal,
                          "cannot create the uploads' folder: " + fault.message());
    return {};
  }
  /// Does nothing if there is no such upload. What cannot be removed is left for the operator.
  void remove(const std::string& upload_id) const {
    std::error_code ignored;
    std::filesystem::remove(path_ / upload_id, ignored);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace nucleus::image_store

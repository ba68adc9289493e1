#include "services/image_store/driver/upload_folder.hpp"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <optional>
#include <set>

#include "core/files/files.hpp"

namespace nucleus::image_store {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t id_bytes = 32;

/// Nothing if there is no mark, or one that is not a number.
std::optional<std::uint64_t> offset_in(const std::string& mark) {
  std::ifstream file(mark, std::ios::binary);
  std::string text(20, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::uint64_t offset = 0;
  const auto* end = text.data() + text.size();
  const auto [at, fault] = std::from_chars(text.data(), end, offset);
  if (text.empty() || fault != std::errc{} || at != end) return std::nullopt;
  return offset;
}

}  // namespace

core::Result<void> UploadFolder::create() const {
  std::error_code fault;
  fs::create_directories(path_, fault);
  if (fault)
    return core::refuse(core::ErrorCode::internal,
                        "cannot create the uploads' folder: " + fault.message());
  return {};
}

std::uint64_t UploadFolder::offset_of(const std::string& upload_id) const {
  if (const auto marked = offset_in(mark_of(upload_id))) return *marked;
  std::error_code fault;
  const auto size = fs::file_size(path_of(upload_id), fault);
  return fault ? 0 : size;
}

core::Result<void> UploadFolder::roll_back(const std::string& upload_id) const {
  const auto marked = offset_in(mark_of(upload_id));
  if (!marked) return {};
  std::error_code fault;
  if (fs::exists(path_of(upload_id), fault)) fs::resize_file(path_of(upload_id), *marked, fault);
  if (!fault) {
    core::sync_path(path_of(upload_id));
    fs::remove(mark_of(upload_id), fault);
  }
  if (fault) return core::refuse_fault("cannot drop a part of the upload", fault);
  sync();
  return {};
}

void UploadFolder::sync() const {
  core::sync_path(path_);
}

void UploadFolder::remove(const std::string& upload_id) const {
  std::error_code ignored;
  fs::remove(path_of(upload_id), ignored);
  fs::remove(mark_of(upload_id), ignored);
  fs::remove(path_ / ("." + upload_id + ".mark.new"), ignored);
}

std::vector<UploadFolder::Found> UploadFolder::list() const {
  std::set<std::string> ids;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    auto name = entry.path().filename().string();
    if (name.starts_with('.')) name.erase(0, 1);
    if (const auto dot = name.find('.'); dot == id_bytes) name.resize(dot);
    ids.insert(name);
  }
  std::vector<Found> found;
  for (const auto& id : ids) found.push_back({.upload_id = id, .offset_bytes = offset_of(id)});
  return found;
}

}  // namespace nucleus::image_store

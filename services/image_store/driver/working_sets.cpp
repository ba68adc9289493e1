#include "services/image_store/driver/working_sets.hpp"

#include "core/files/files.hpp"
#include "messages/chunks.hpp"
#include "services/image_store/driver/open_file.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

std::string set_path(const std::string& path) {
  return path + ".working-set";
}

core::Result<void> check(const std::string& encoded, std::uint64_t size_bytes) {
  if (encoded.size() > working_set_bytes_max)
    return core::refuse(ErrorCode::invalid_argument, "the working set is over 128 KiB");
  try {
    if (auto broken = msg::check(msg::decode<msg::WorkingSet>(encoded), size_bytes))
      return std::unexpected(*broken);
    return {};
  } catch (const msg::DecodeError& error) {
    return core::refuse(ErrorCode::invalid_argument, error.what());
  }
}

}  // namespace

core::Result<std::string> WorkingSets::find(const std::string& path) {
  const OpenFile file(path);
  if (!file.is_sound()) return core::refuse(ErrorCode::unavailable, "the file cannot be read");
  const auto none = core::refuse(ErrorCode::not_found, "no working set is recorded yet");
  const OpenFile kept(set_path(path));
  if (!kept.is_sound() || kept.size_bytes() > working_set_bytes_max) return none;
  std::string encoded(kept.size_bytes(), '\0');
  if (!kept.read(0, encoded) || !check(encoded, file.size_bytes())) return none;
  return encoded;
}

core::Result<void> WorkingSets::keep(const std::string& path, const std::string& encoded) {
  const OpenFile file(path);
  if (!file.is_sound()) return core::refuse(ErrorCode::unavailable, "the file cannot be read");
  if (auto checked = check(encoded, file.size_bytes()); !checked) return checked;
  const std::scoped_lock lock{keeping_};
  if (find(path)) return {};
  return core::replace_file(set_path(path), encoded, {.mode = 0644, .is_durable = true});
}

}  // namespace nucleus::image_store

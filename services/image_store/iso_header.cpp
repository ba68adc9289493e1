#include "services/image_store/iso_header.hpp"

#include <string>

#include "messages/common.hpp"

namespace nucleus::image_store {

namespace {

constexpr std::size_t sector_bytes = 2048;
constexpr std::size_t first_descriptor = 16;
constexpr unsigned char boot_record = 0;
constexpr unsigned char primary_descriptor = 1;
constexpr unsigned char end_of_descriptors = 255;
constexpr std::string_view el_torito = "EL TORITO SPECIFICATION";

std::unexpected<core::Error> not_iso(const std::string& detail) {
  return std::unexpected(msg::invalid("format", detail));
}

/// Little-endian, of `count` bytes; the caller has checked the length.
std::uint64_t little_at(std::string_view sector, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;)
    value = value << 8 | static_cast<unsigned char>(sector[at + i]);
  return value;
}

core::Result<void> check_primary(std::string_view sector, std::uint64_t file_bytes) {
  const auto blocks = little_at(sector, 80, 4);
  const auto block_bytes = little_at(sector, 128, 2);
  if (blocks * block_bytes > file_bytes) return not_iso("the ISO image is cut off");
  const auto root_at = little_at(sector, 158, 4) * block_bytes;
  const auto root_bytes = little_at(sector, 166, 4);
  if (root_at > file_bytes || root_bytes > file_bytes - root_at)
    return not_iso("the root directory of the ISO image is beyond its end");
  return {};
}

core::Result<void> check_boot_record(std::string_view sector, std::uint64_t file_bytes) {
  if (sector.substr(7, el_torito.size()) != el_torito) return {};
  const auto catalog = little_at(sector, 71, 4);
  if ((catalog + 1) * sector_bytes > file_bytes)
    return not_iso("the boot catalog of the ISO image is beyond its end");
  return {};
}

}  // namespace

core::Result<void> check_iso_header(std::string_view head, std::uint64_t file_bytes) {
  bool has_primary = false;
  for (auto at = first_descriptor * sector_bytes;; at += sector_bytes) {
    if (at > head.size() || head.size() - at < sector_bytes) break;
    const auto sector = head.substr(at, sector_bytes);
    if (sector.substr(1, 5) != "CD001") break;
    const auto type = static_cast<unsigned char>(sector[0]);
    if (type == end_of_descriptors && has_primary) return {};
    core::Result<void> checked;
    if (type == primary_descriptor) {
      has_primary = true;
      checked = check_primary(sector, file_bytes);
    } else if (type == boot_record) {
      checked = check_boot_record(sector, file_bytes);
    }
    if (!checked) return checked;
  }
  return not_iso(has_primary ? "the volume descriptors of the ISO image have no end"
                             : "the file is not an ISO 9660 image");
}

}  // namespace nucleus::image_store

#include "services/image_store/image_header.hpp"

#include <algorithm>
#include <string>

#include "services/image_store/iso_header.hpp"

namespace nucleus::image_store {

namespace {

constexpr std::size_t qcow2_header_bytes_v2 = 72;
constexpr std::size_t qcow2_header_bytes_v3 = 104;
constexpr std::uint64_t incompatible_data_file = 4;
constexpr std::uint64_t incompatible_compression = 8;
constexpr std::uint64_t incompatible_extended_l2 = 16;
constexpr std::uint64_t incompatible_known =
    1 + incompatible_compression + incompatible_extended_l2;  // 1: dirty, repaired when opened
constexpr std::uint64_t extension_end = 0;
constexpr std::uint64_t extension_backing_format = 0xe2792aca;
constexpr std::uint64_t extension_data_file = 0x44415441;
constexpr std::uint64_t extension_luks = 0x0537be77;
constexpr std::uint32_t snapshots_max = 1024;
constexpr std::uint64_t snapshot_bytes_min = 40;
// QEMU holds these tables in memory.
constexpr std::uint64_t l1_bytes_max = 16 << 20;
constexpr std::uint64_t refcount_bytes_max = 8 << 20;
constexpr std::uint64_t refcount_order_max = 6;

std::unexpected<core::Error> refused(const std::string& detail) {
  return std::unexpected(msg::invalid("format", detail));
}

/// Big-endian, `count` bytes from `at`; the caller has checked the length.
std::uint64_t number_at(std::string_view head, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<unsigned char>(head[at + i]);
  return value;
}

/// True if the file holds `bytes` bytes from `offset`.
bool is_within(std::uint64_t offset, std::uint64_t bytes, std::uint64_t file_bytes) {
  return offset <= file_bytes && bytes <= file_bytes - offset;
}

core::Result<void> check_qcow2_tables(std::string_view head, std::uint64_t cluster_bytes,
                                      std::uint64_t file_bytes) {
  const auto l1_bytes = number_at(head, 36, 4) * 8;
  const auto l1_offset = number_at(head, 40, 8);
  const auto refcount_offset = number_at(head, 48, 8);
  const auto refcount_bytes = number_at(head, 56, 4) * cluster_bytes;
  const auto snapshots = number_at(head, 60, 4);
  if (l1_bytes > l1_bytes_max || refcount_bytes > refcount_bytes_max)
    return refused("the tables of the qcow2 image are too large");
  if (!is_within(l1_offset, l1_bytes, file_bytes) ||
      !is_within(refcount_offset, refcount_bytes, file_bytes))
    return refused("a table of the qcow2 image is beyond its end");
  if (l1_offset % cluster_bytes != 0 || refcount_offset % cluster_bytes != 0)
    return refused("a table of the qcow2 image is not aligned to its clusters");
  if (snapshots > snapshots_max) return refused("the qcow2 image has too many snapshots");
  if (snapshots > 0 &&
      !is_within(number_at(head, 64, 8), snapshots * snapshot_bytes_min, file_bytes))
    return refused("the snapshots of the qcow2 image are beyond its end");
  return {};
}

/// The extensions between the header and the end of the first cluster.
core::Result<void> check_qcow2_extensions(std::string_view head, std::uint64_t at,
                                          std::uint64_t cluster_bytes) {
  const auto end = std::min<std::uint64_t>(cluster_bytes, head.size());
  while (true) {
    if (at > end || end - at < 8) return refused("the header of the qcow2 image is truncated");
    const auto type = number_at(head, at, 4);
    const auto bytes = number_at(head, at + 4, 4);
    if (type == extension_end) return {};
    if (type == extension_data_file) return refused("the qcow2 image has an external data file");
    if (type == extension_backing_format) return refused("the qcow2 image has a backing file");
    if (type == extension_luks) return refused("the qcow2 image is encrypted");
    at += 8 + (bytes + 7) / 8 * 8;
  }
}

/// Version 3 alone has these fields. Returns the length of the header.
core::Result<std::uint64_t> check_qcow2_features(std::string_view head,
                                                 std::uint64_t cluster_bytes) {
  if (head.size() < qcow2_header_bytes_v3) return refused("the qcow2 image is truncated");
  const auto incompatible = number_at(head, 72, 8);
  if (incompatible & incompatible_data_file)
    return refused("the qcow2 image has an external data file");
  if (incompatible & ~incompatible_known) return refused("the qcow2 image has unknown features");
  if (number_at(head, 96, 4) > refcount_order_max)
    return refused("the refcount size of the qcow2 image is not valid");
  const auto own_bytes = number_at(head, 100, 4);
  if (own_bytes < qcow2_header_bytes_v3 || own_bytes > std::min(cluster_bytes, head.size()) ||
      own_bytes % 8 != 0)
    return refused("the header size of the qcow2 image is not valid");
  const bool has_compression = (incompatible & incompatible_compression) != 0;
  const auto compression =
      own_bytes > qcow2_header_bytes_v3 ? number_at(head, qcow2_header_bytes_v3, 1) : 0;
  if (compression != (has_compression ? 1 : 0))  // 0: zlib, 1: zstd
    return refused("the compression of the qcow2 image is not known");
  return own_bytes;
}

/// Entries of the L1 table that a disk of this size needs.
std::uint64_t l1_entries_needed(std::uint64_t virtual_bytes, std::uint64_t cluster_bytes,
                                bool has_extended_l2) {
  const auto covered = cluster_bytes * (cluster_bytes / (has_extended_l2 ? 16 : 8));
  return virtual_bytes / covered + (virtual_bytes % covered != 0 ? 1 : 0);
}

core::Result<std::uint64_t> check_qcow2(std::string_view head, std::uint64_t file_bytes) {
  if (head.size() < qcow2_header_bytes_v2 || !head.starts_with("QFI\xfb"))
    return refused("the file is not a qcow2 image");
  const auto version = number_at(head, 4, 4);
  if (version != 2 && version != 3) return refused("the version of the qcow2 image must be 2 or 3");
  if (number_at(head, 8, 8) != 0) return refused("the qcow2 image has a backing file");
  const auto cluster_bits = number_at(head, 20, 4);
  if (cluster_bits < 9 || cluster_bits > 21)
    return refused("the cluster size of the qcow2 image is not valid");
  const auto virtual_bytes = number_at(head, 24, 8);
  if (number_at(head, 32, 4) != 0) return refused("the qcow2 image is encrypted");
  const std::uint64_t cluster_bytes = std::uint64_t{1} << cluster_bits;
  if (auto tables = check_qcow2_tables(head, cluster_bytes, file_bytes); !tables)
    return std::unexpected(tables.error());
  std::uint64_t own_bytes = qcow2_header_bytes_v2;
  bool has_extended_l2 = false;
  if (version == 3) {
    const auto checked = check_qcow2_features(head, cluster_bytes);
    if (!checked) return checked;
    own_bytes = *checked;
    has_extended_l2 = (number_at(head, 72, 8) & incompatible_extended_l2) != 0;
  }
  if (auto known = check_qcow2_extensions(head, own_bytes, cluster_bytes); !known)
    return std::unexpected(known.error());
  if (number_at(head, 36, 4) < l1_entries_needed(virtual_bytes, cluster_bytes, has_extended_l2))
    return refused("the L1 table of the qcow2 image is too small for its disk");
  return virtual_bytes;
}

}  // namespace

core::Result<std::uint64_t> check_image_header(msg::ImageFormat format, std::string_view head,
                                               std::uint64_t file_bytes,
                                               std::uint64_t virtual_bytes_max) {
  core::Result<std::uint64_t> virtual_bytes = file_bytes;
  switch (format) {
    case msg::ImageFormat::qcow2:
      virtual_bytes = check_qcow2(head, file_bytes);
      break;
    case msg::ImageFormat::raw:
      if (file_bytes % 512 != 0)
        return refused("the size of a raw disk must be a multiple of 512 bytes");
      break;
    case msg::ImageFormat::iso:
      if (auto checked = check_iso_header(head, file_bytes); !checked)
        return std::unexpected(checked.error());
      break;
    case msg::ImageFormat::unknown:
      return refused("format must be raw, qcow2 or iso");
  }
  if (!virtual_bytes) return virtual_bytes;
  if (*virtual_bytes == 0) return refused("the image is empty");
  if (*virtual_bytes > virtual_bytes_max)
    return refused("the disk is larger than the " + std::to_string(virtual_bytes_max) +
                   " bytes allowed");
  return virtual_bytes;
}

}  // namespace nucleus::image_store

// Whether a file is what it is said to be, before any tool opens it: pure, bounded.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.hpp"
#include "messages/image_store.hpp"

namespace nucleus::image_store {

/// So much of a file is looked at.
constexpr std::size_t header_bytes = 64 * 1024;

/// The size of the disk that the file holds, in bytes. Refused (field `format`): a qcow2 with a
/// backing or data file, encryption, or tables beyond its size; a raw disk that is no whole number
/// of 512-byte sectors; an ISO without its mark. qcow2: QEMU's docs/interop/qcow2.txt; ISO:
/// ECMA-119 section 8.
core::Result<std::uint64_t> check_image_header(msg::ImageFormat format, std::string_view head,
                                               std::uint64_t file_bytes,
                                               std::uint64_t virtual_bytes_max);

}  // namespace nucleus::image_store

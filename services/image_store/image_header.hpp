// Checks that a file has the declared format before any tool opens it. Pure functions that read a
// bounded part of the file.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.hpp"
#include "messages/image_store.hpp"

namespace nucleus::image_store {

/// The part of a file that is read.
constexpr std::size_t header_bytes = 64 * 1024;

/// Returns the virtual size of the disk in bytes. Refuses (field `format`) a qcow2 image with a
/// backing file, a data file, encryption, features that are not known or tables outside the file; a
/// raw disk whose size is not a multiple of 512 bytes; an ISO as check_iso_header() says. Format:
/// QEMU's docs/interop/qcow2.txt.
core::Result<std::uint64_t> check_image_header(msg::ImageFormat format, std::string_view head,
                                               std::uint64_t file_bytes,
                                               std::uint64_t virtual_bytes_max);

}  // namespace nucleus::image_store

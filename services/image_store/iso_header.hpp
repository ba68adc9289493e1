// The volume descriptors of an ISO 9660 image: ECMA-119 section 8, and El Torito 1.0 section 2.
// Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/result.hpp"

namespace nucleus::image_store {

/// `head` are the file's first bytes. Refuses (field `format`) a file without a primary volume
/// descriptor or without an end of its descriptors, and one whose volume, root directory or boot
/// catalog is beyond its end: it was cut off, or lies.
core::Result<void> check_iso_header(std::string_view head, std::uint64_t file_bytes);

}  // namespace nucleus::image_store

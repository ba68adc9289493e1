// Lets qemu-img check a qcow2 image whose header has passed our own checks: its tables and
// refcounts. qemu-img runs confined, with the format given.
#pragma once

#include <chrono>
#include <string>

#include "core/result.hpp"

namespace nucleus::image_store {

/// `invalid_argument` (field `format`) if the image is corrupt; clusters that are only lost are
/// accepted. Blocks, `deadline` at most.
core::Result<void> check_by_qemu_img(const std::string& path, std::chrono::milliseconds deadline);

}  // namespace nucleus::image_store

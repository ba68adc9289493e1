// Makes qcow2 files that have only what differs from another file. Blocks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/result.hpp"

namespace nucleus::image_store {

struct Overlay {
  std::string backing = {};         // path; empty = an empty disk. It may be put in place later
  std::string backing_format = {};  // qcow2 or raw
  std::uint64_t disk_bytes = 0;
};

/// A partial file is left to the caller.
core::Result<void> make_overlay(const std::filesystem::path& path, const Overlay& overlay);

/// The path of a disk's successor, until that takes its place.
std::filesystem::path next_of(const std::filesystem::path& disk);

}  // namespace nucleus::image_store

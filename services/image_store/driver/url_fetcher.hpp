// Fetches an image from a URL that a tenant gave, to a file. What the URL names is checked when the
// connection is made, so that a name which resolves to another address later gains nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "services/image_store/driver/allowed_addresses.hpp"

namespace nucleus::image_store {

constexpr std::size_t source_url_bytes_max = 2'048;

/// `invalid_argument` (field `source_url`) unless it is an https:// URL, or, if the image's digest
/// is known, an http:// one; with a host, and without user and password.
core::Result<void> check_source_url(const std::string& url, bool has_sha256);

struct FetchRequest {
  std::string url = {};
  std::string path = {};        // of the file
  bool is_continued = false;    // after the bytes that the file has; else from the beginning
  std::uint64_t bytes_max = 0;  // of the file
  AllowedAddresses allowed = {};
  std::string ca_file = {};  // PEM, verifies the server; empty = the system's authorities
  std::shared_ptr<std::atomic<bool>> is_cancelled = std::make_shared<std::atomic<bool>>(false);
};

/// Returns the size of the file once it is whole and durable. Follows up to 5 redirects within the
/// same host. `unavailable`: may succeed later, and the file has what was received; `no_capacity`:
/// the disk is full; `invalid_argument` (field `source_url` or `size`): never. Blocks.
core::Result<std::uint64_t> fetch(const FetchRequest& request);

}  // namespace nucleus::image_store

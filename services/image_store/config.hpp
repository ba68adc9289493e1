// The image store's settings, read once at the start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/settings.hpp"
#include "core/http/server.hpp"
#include "services/image_store/driver/allowed_addresses.hpp"

namespace nucleus::image_store {

NUCLEUS_ENUM(DriverName, qcow2, simulated)

struct Config {
  DriverName driver = DriverName::qcow2;
  std::string images_directory = {};
  std::string uploads_directory = {};
  std::string volumes_directory = {};
  std::uint64_t upload_bytes_max = 1ULL << 40;
  std::uint64_t virtual_bytes_max = 16ULL << 40;
  std::int64_t work_deadline_ms = 3'600'000;     // to copy, check and publish an image
  std::int64_t retry_ms = 5'000;                 // between attempts to make or remove a volume
  std::int64_t upload_keep_s = 86'400;           // without a byte, and of what is finished
  std::uint64_t uploads_max = 100;               // being received, of one project
  std::uint64_t project_bytes_max = 2ULL << 40;  // of a project's images and uploads
  std::uint64_t fetches_max = 2;                 // at a time, from URLs; 0 = none
  std::int64_t fetch_retry_ms = 60'000;          // before a fetch that failed is tried again
  AllowedAddresses fetch_addresses = {};
  std::string fetch_ca_file = {};  // PEM, verifies their servers; empty = the system's authorities
  /// Of the server for uploads; nothing = uploads only by the gateway.
  std::optional<core::http::ServerOptions> uploads = {};
  std::string uploads_url = {};  // of that server as clients reach it; empty = where it listens
  std::vector<std::string> uploads_allow_origins = {};  // whose pages may send to that server
  /// Of the server from which hosts read images; nothing = hosts share the store's directories.
  std::optional<core::http::ServerOptions> hosts = {};

  /// Reads `image_store.*`; fails if there is no driver of this name.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::image_store

// Sends one file to an upload of the image store: tus 1.0 by HTTPS. Blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace nucleus::provisioner {

/// What is sent, and where to. The file is not changed meanwhile.
struct TusUpload {
  std::string url = {};
  std::string ticket = {};   // the bearer token
  std::string ca_file = {};  // verifies the server
  int file = -1;             // open for reading
  std::uint64_t size_bytes = 0;
  std::int64_t bytes_per_s_max = 0;  // 0 = no limit
};

/// Sends what the server does not have yet. `sent_bytes` is what it has acknowledged. Ends early
/// once `is_cancelled`. `not_found`: the server has no such upload, or not for this ticket;
/// `wrong_state`: the upload is for another size; `unavailable`: the rest.
core::Result<void> send_by_tus(const TusUpload& upload, std::atomic<std::uint64_t>& sent_bytes,
                               const std::atomic<bool>& is_cancelled);

}  // namespace nucleus::provisioner

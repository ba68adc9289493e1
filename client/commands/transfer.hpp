// How fast an upload is, and how long it takes: texts for the progress line. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "client/api/json.hpp"

namespace nucleus::client {

/// With one decimal and a unit of 1024: 1.5 GiB.
std::string shown_bytes(std::uint64_t bytes);
/// In the largest unit that fits: 3 d, 5 h, 7 min, 9 s.
std::string shown_seconds(std::int64_t seconds);

struct Transfer {
  std::uint64_t size_bytes = 0;
  std::uint64_t done_bytes = 0;
  std::uint64_t session_bytes = 0;  // of them, sent by this program
  double session_s = 0;
};
/// `43 % of 1.2 GiB, 110.0 MiB/s, 7 s left`; without speed in the first second.
std::string shown_transfer(const Transfer& transfer);

/// The same of a node's `image_copy`, or why it is not being copied: `43 % of 2.0 GiB: REASON`.
std::string shown_image_copy(const Json& copy);

}  // namespace nucleus::client

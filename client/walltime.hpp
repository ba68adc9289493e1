// Walltimes as people write them: 90m, 2h, 1d, 1w. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace nucleus::client {

struct Walltime {
  std::int64_t minutes = 0;
  bool has_no_unit = false;  // taken as minutes; worth a remark
};

/// A whole number with m, h, d or w, in either case. `invalid_argument`: anything else.
core::Result<Walltime> parse_walltime(const std::string& text);

/// [d-]HH:MM, as the batch systems write it.
std::string shown_minutes(std::int64_t minutes);

}  // namespace nucleus::client

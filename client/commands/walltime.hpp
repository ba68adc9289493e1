// Walltimes as people write them: 90m, 2h, 1d, 1w. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace nucleus::client {

struct Walltime {
  std::int64_t minutes = 0;
  bool has_no_unit = false;  // taken as minutes, with a warning
};

/// A positive whole number with m, h, d or w, in either case. `invalid_argument` names `option`.
core::Result<Walltime> parse_walltime(const std::string& text, const std::string& option);

/// [d-]HH:MM, as batch systems write it.
std::string shown_minutes(std::int64_t minutes);

}  // namespace nucleus::client

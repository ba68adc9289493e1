// What a computeset costs: pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace nucleus::scheduler {

/// Core-seconds from start to end; 0 for one that never started, or where a clock went back.
constexpr std::int64_t charge_core_s(std::int64_t cores, std::int64_t start_unix_s,
                                     std::int64_t end_unix_s) {
  if (start_unix_s == 0) return 0;
  return cores * std::max<std::int64_t>(end_unix_s - start_unix_s, 0);
}

}  // namespace nucleus::scheduler

// Divides a whole number by weights, with a limit for each share. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/assert.hpp"

namespace nucleus::provisioner {

/// At least 1 and at most the limit for each; what a limit holds back goes to the others, and a
/// remainder to the first. The total must be at least one for each, and at most all limits.
inline std::vector<std::uint64_t> shares(std::uint64_t total,
                                         const std::vector<std::uint64_t>& weights,
                                         const std::vector<std::uint64_t>& limits) {
  NUCLEUS_ASSERT(total >= weights.size());
  NUCLEUS_ASSERT(total <= std::accumulate(limits.begin(), limits.end(), std::uint64_t{0}));
  std::vector<std::uint64_t> amounts(weights.size(), 1);
  std::uint64_t left = total - weights.size();
  while (left > 0) {
    std::uint64_t open_weight = 0;
    for (std::size_t i = 0; i < amounts.size(); ++i)
      if (amounts[i] < limits[i]) open_weight += weights[i];
    const std::uint64_t dealt = left;
    for (std::size_t i = 0; i < amounts.size(); ++i) {
      const auto part = std::max<std::uint64_t>(dealt * weights[i] / open_weight, 1);
      const auto given = std::min({part, limits[i] - amounts[i], left});
      amounts[i] += given;
      left -= given;
    }
  }
  return amounts;
}

}  // namespace nucleus::provisioner

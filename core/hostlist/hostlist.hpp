// Expands hostlists such as `vm-demo-[00-03],login` and collects names into them. The rules are
// those of python-hostlist, because clients of REST v1 depend on them. Pure functions; the size of
// an expansion is checked before any name is built.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace nucleus::core::hostlist {

inline constexpr std::size_t names_max = 100'000;
inline constexpr std::size_t name_bytes_max = 255;
inline constexpr std::size_t text_bytes_max = 2'097'152;

/// The names in `text`, in order and without duplicates. Numbers are padded to the width of their
/// range's lower bound. `invalid_argument`: more than `max` names (duplicates included), nested or
/// unbalanced brackets, an invalid or reversed range.
Result<std::vector<std::string>> expand(std::string_view text, std::size_t max = names_max);

/// A hostlist that expands to `names`: sorted, and grouped from the right-most number.
std::string collect(std::span<const std::string> names);

}  // namespace nucleus::core::hostlist

// Lists of names written short: `vm-demo-[00-03],login` and back. The rules are python-hostlist's,
// on which old clients depend; both the gateway and the client read lists with this.
// Pure functions; what a list would expand to is counted before anything is made of it.
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

/// The names that `text` stands for, in its order, each once. Numbers are padded to the width of
/// their range's low bound. More than `max` names (repeats counted), nested or unbalanced brackets,
/// a bad or reversed range are invalid_argument.
Result<std::vector<std::string>> expand(std::string_view text, std::size_t max = names_max);

/// The shortest list that expands to `names`: sorted, and grouped from the right-most number.
std::string collect(std::span<const std::string> names);

}  // namespace nucleus::core::hostlist

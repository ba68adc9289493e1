// Parses integers in paths, queries and headers.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace nucleus::gateway {

/// The number if the whole text is an integer that fits: digits, perhaps after a `-`.
template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

}  // namespace nucleus::gateway

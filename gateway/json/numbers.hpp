// Whole numbers as text: in paths, queries and headers.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace nucleus::gateway {

/// The number, where the whole text is one that fits; no sign but `-`, no blank, no point.
template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

}  // namespace nucleus::gateway

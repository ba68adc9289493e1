// Cuts the output of programs into lines, fields and words. What is returned points into the text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace nucleus::core {

/// Cuts the part before the first `end` off `text`, and that `end`; all of it if there is none.
inline std::string_view take_until(std::string_view& text, char end) {
  const auto part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

/// The first `words_max` words of a line, separated by blanks, tabs or carriage returns.
inline std::vector<std::string_view> words_of(std::string_view line, std::size_t words_max) {
  constexpr std::string_view blanks = " \t\r";
  std::vector<std::string_view> words;
  while (words.size() < words_max) {
    const auto from = line.find_first_not_of(blanks);
    if (from == std::string_view::npos) break;
    line.remove_prefix(from);
    const auto end = std::min(line.find_first_of(blanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

}  // namespace nucleus::core

// What an admin is told of a fault: in the driver's words, but of our files only their names. Pure.
#pragma once

#include <string>
#include <string_view>

namespace nucleus::provisioner {

/// The text with each absolute path cut down to what follows its last slash.
inline std::string without_paths(std::string_view text) {
  constexpr std::string_view ends = " \t\n'\"`,;:=()<>[]";
  std::string told;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find_first_of(ends));
    const bool is_path = word.starts_with('/');
    told += is_path ? word.substr(word.rfind('/') + 1) : word;
    text.remove_prefix(word.size());
    if (text.empty()) break;
    told += text.front();
    text.remove_prefix(1);
  }
  return told;
}

}  // namespace nucleus::provisioner

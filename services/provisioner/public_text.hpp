// Texts of the driver and of guests, made fit for an admin to read. Pure.
#pragma once

#include <string>
#include <string_view>

namespace nucleus::provisioner {

/// The text with each absolute path cut down to its last component: an admin of a cluster need not
/// know the host's directories.
inline std::string without_paths(std::string_view text) {
  constexpr std::string_view word_ends = " \t\n'\"`,;:=()<>[]";
  std::string result;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find_first_of(word_ends));
    const bool is_path = word.starts_with('/');
    result += is_path ? word.substr(word.rfind('/') + 1) : word;
    text.remove_prefix(word.size());
    if (text.empty()) break;
    result += text.front();
    text.remove_prefix(1);
  }
  return result;
}

}  // namespace nucleus::provisioner

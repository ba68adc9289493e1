// Files that are one YAML map of text to text: settings, keys, rights, tokens. Written for the
// owner alone.
#pragma once

#include <map>
#include <string>

#include "core/result.hpp"

namespace nucleus::operator_ {

using TextMap = std::map<std::string, std::string>;

/// `invalid_argument` if the file cannot be read or is not a map of text to text.
core::Result<TextMap> read_text_map(const std::string& path);
core::Result<void> write_text_map(const std::string& path, const TextMap& map);
/// The value of a key, or an empty text.
std::string text_of(const TextMap& map, const std::string& key);

}  // namespace nucleus::operator_

// Sets values in the text of a yaml file and keeps its comments, order and layout. Pure.
#pragma once

#include <string>

#include "client/config/yaml_file.hpp"

namespace nucleus::client {

/// The text with these values set. The text is written anew, without comments, only where it cannot
/// be edited: if it uses anchors, for example. Throws YAML::Exception if it is malformed.
std::string with_changes(const std::string& text, const std::vector<YamlChange>& changes);

/// The text with all values of another, in the same way: maps are merged, other values replaced.
std::string merged(const std::string& text, const std::string& more);

}  // namespace nucleus::client

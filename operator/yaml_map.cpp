#include "operator/yaml_map.hpp"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <system_error>

#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

core::Result<TextMap> read_text_map(const std::string& path) {
  TextMap map;
  if (access(path.c_str(), R_OK) != 0)
    return core::refuse(core::ErrorCode::invalid_argument,
                        path + ": " + std::generic_category().message(errno));
  try {
    const YAML::Node file = YAML::LoadFile(path);
    for (const auto& entry : file)
      map[entry.first.as<std::string>()] = entry.second.as<std::string>();
  } catch (const std::exception& error) {  // of the library, or of the file: a directory
    return core::refuse(core::ErrorCode::invalid_argument, path + ": " + error.what());
  }
  return map;
}

core::Result<void> write_text_map(const std::string& path, const TextMap& map) {
  YAML::Emitter text;
  text << YAML::BeginMap;
  for (const auto& [key, value] : map)
    text << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  text << YAML::EndMap;
  return write_file(path, std::string(text.c_str()) + "\n");
}

std::string text_of(const TextMap& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

}  // namespace nucleus::operator_

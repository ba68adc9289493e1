// The cloudmesh yaml file, whose format the first generation of clients defined, and its folder.
// yaml-cpp is included here, in yaml_edit.cpp and in output/listing.cpp only.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/api/json.hpp"
#include "core/result.hpp"

namespace nucleus::client {

/// HOME, or the home directory of the user database.
std::string home_folder();
/// `~/.cloudmesh`, or NUCLEUS_CLIENT_DIR: holds the yaml file, the local copy and the history.
std::string client_folder();
/// Refused if something else than a folder has that name.
core::Result<void> check_client_folder();
std::string configuration_file();

/// The whole file with every scalar as a text; an empty object if there is no file.
/// `invalid_argument`: it cannot be read, or is not a yaml map.
core::Result<Json> read_yaml();

/// A text by its path, such as `cloudmesh.comet.active`; nothing if there is none.
std::optional<std::string> yaml_value(const std::string& path);
/// The names and texts of a map by its path; empty if there is no such map.
std::vector<std::pair<std::string, std::string>> yaml_entries(const std::string& path);

/// The path to a value, and the value.
using YamlChange = std::pair<std::vector<std::string>, std::string>;
/// Sets values and keeps all others. Concurrent changes are serialized; only the owner may read the
/// file.
core::Result<void> change_yaml(const std::vector<YamlChange>& changes);
/// Merges another yaml file into this one; its values win.
core::Result<void> merge_yaml(const std::string& path);

}  // namespace nucleus::client

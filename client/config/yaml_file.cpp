#include "client/config/yaml_file.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "client/config/yaml_edit.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

// Deeper than any file that a person writes; anchors can make a yaml tree infinite.
constexpr int depth_max = 32;

/// The lock on all changes of the file, held while it exists.
class Lock {
 public:
  explicit Lock(const std::string& path)
      : file_{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)} {
    if (file_ >= 0) flock(file_, LOCK_EX);
  }
  ~Lock() {
    if (file_ >= 0) close(file_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

core::Result<YAML::Node> load(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return YAML::Node(YAML::NodeType::Map);
  if (!std::filesystem::is_regular_file(path, error))
    return core::refuse(ErrorCode::invalid_argument, path + " is not a file");
  try {
    auto whole = YAML::LoadFile(path);
    if (whole.IsNull()) return YAML::Node(YAML::NodeType::Map);
    if (whole.IsMap()) return whole;
  } catch (const YAML::Exception& fault) {
    return core::refuse(ErrorCode::invalid_argument, path + ": " + fault.what());
  }
  return core::refuse(ErrorCode::invalid_argument, path + " is not a yaml map");
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

core::Result<void> store(const std::string& text) {
  std::error_code error;
  // Of a symbolic link the target is replaced.
  const auto path = std::filesystem::weakly_canonical(configuration_file(), error);
  if (error) return core::refuse(ErrorCode::unavailable, "cannot write " + configuration_file());
  // A kill leaves the old file or the new one, never a part.
  const auto fresh = path.string() + ".new";
  const auto mask = umask(077);
  std::ofstream file(fresh, std::ios::trunc);
  umask(mask);
  file << text;
  file.close();
  // Private if it is new, else as its owner made it.
  const auto former = std::filesystem::status(path, error);
  if (std::filesystem::exists(former))
    std::filesystem::permissions(fresh, former.permissions(), error);
  else
    error.clear();
  if (!error && file) std::filesystem::rename(fresh, path, error);
  if (error || !file) return core::refuse(ErrorCode::unavailable, "cannot write " + path.string());
  return {};
}

/// Stores what `apply` makes of the file's text, which is a yaml map or empty.
core::Result<void> change(const std::function<std::string(const std::string&)>& apply) {
  std::error_code error;
  std::filesystem::create_directories(client_folder(), error);
  const Lock lock(configuration_file() + ".lock");
  if (const auto whole = load(configuration_file()); !whole) return std::unexpected(whole.error());
  try {
    return store(apply(text_of(configuration_file())));
  } catch (const YAML::Exception& fault) {
    return core::refuse(ErrorCode::invalid_argument, configuration_file() + ": " + fault.what());
  }
}

/// Throws YAML::Exception if a key is not a text.
Json json_of(const YAML::Node& node, int depth = 0) {
  if (depth > depth_max || node.IsNull() || !node.IsDefined()) return {};
  if (node.IsScalar()) return node.as<std::string>();
  if (node.IsSequence()) {
    Json list = Json::list();
    for (const auto& each : node) list.add(json_of(each, depth + 1));
    return list;
  }
  Json object = Json::object();
  for (const auto& each : node)
    object.set(each.first.as<std::string>(), json_of(each.second, depth + 1));
  return object;
}

/// The part of the file at a path; a null value if there is none.
Json part_at(const std::string& path) {
  const auto whole = read_yaml();
  Json at = whole.value_or(Json());
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    at = Json(at[path.substr(begin, end - begin)]);
    begin = end + 1;
  }
  return at;
}

}  // namespace

std::string home_folder() {
  if (const char* home = std::getenv("HOME"); home && *home) return home;
  const auto* user = getpwuid(getuid());
  return user && user->pw_dir ? user->pw_dir : "/";
}

std::string client_folder() {
  if (const char* folder = std::getenv("NUCLEUS_CLIENT_DIR"); folder && *folder) return folder;
  return home_folder() + "/.cloudmesh";
}

core::Result<void> check_client_folder() {
  std::error_code error;
  const auto known = std::filesystem::status(client_folder(), error);
  if (!std::filesystem::exists(known) || std::filesystem::is_directory(known)) return {};
  return core::refuse(ErrorCode::invalid_argument, client_folder() + " is not a folder");
}

std::string configuration_file() {
  return client_folder() + "/cloudmesh.yaml";
}

core::Result<Json> read_yaml() {
  const auto path = configuration_file();
  const auto whole = load(path);
  if (!whole) return std::unexpected(whole.error());
  try {
    return json_of(*whole);
  } catch (const YAML::Exception& fault) {
    return core::refuse(ErrorCode::invalid_argument, path + ": " + fault.what());
  }
}

std::optional<std::string> yaml_value(const std::string& path) {
  const auto part = part_at(path);
  if (!part.is_text()) return std::nullopt;
  return part.text();
}

std::vector<std::pair<std::string, std::string>> yaml_entries(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> entries;
  const auto part = part_at(path);
  if (!part.is_object()) return entries;
  for (const auto& each : part.items())
    if (each.is_text()) entries.emplace_back(each.key(), each.text());
  return entries;
}

core::Result<void> change_yaml(const std::vector<YamlChange>& changes) {
  return change([&](const std::string& text) { return with_changes(text, changes); });
}

core::Result<void> merge_yaml(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return core::refuse(ErrorCode::not_found, "no such file: " + path);
  const auto more = load(path);
  if (!more) return std::unexpected(more.error());
  const auto added = text_of(path);
  return change([&](const std::string& text) { return merged(text, added); });
}

}  // namespace nucleus::client

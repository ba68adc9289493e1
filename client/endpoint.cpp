#include "client/endpoint.hpp"

#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// Where libcurl looks for it.
bool has_netrc() {
  std::error_code error;
  return std::filesystem::exists(variable("HOME") + "/.netrc", error);
}

std::string text_of(const YAML::Node& map, const char* key) {
  if (!map.IsMap() || !map[key] || !map[key].IsScalar()) return {};
  const auto text = map[key].as<std::string>();
  return text == "TBD" ? "" : text;
}

YAML::Node part_of(const YAML::Node& map, const char* key) {
  return map.IsMap() && map[key] ? map[key] : YAML::Node();
}

/// The first of these keys that says something; old files differ.
std::string text_of_any(const YAML::Node& map, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (auto text = text_of(map, key); !text.empty()) return text;
  return {};
}

std::string trimmed(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with("/nucleus")) url.resize(url.size() - 8);
  return url;
}

Endpoint endpoint_of(const std::string& name, const YAML::Node& entry,
                     const std::string& username) {
  const auto key = part_of(entry, "apikey");
  const auto person = part_of(entry, "userpass");
  Endpoint endpoint{.name = name,
                    .url = trimmed(text_of(entry, "nucleus_base_url")),
                    .token = text_of(entry, "token"),
                    .ca_file = text_of(entry, "ca_file"),
                    .has_hpcinfo = !text_of(entry, "hpcinfo").empty()};
  std::string provider = text_of(entry, "auth_provider");
  for (char& c : provider) c = static_cast<char>(std::tolower(c));
  if (provider == "userpass") {
    endpoint.username = text_of(person, "username");
    if (endpoint.username.empty()) endpoint.username = username;
    endpoint.password = text_of(person, "password");
    if (endpoint.password.empty()) endpoint.password = "readline";
  } else {
    endpoint.key_name = text_of_any(key, {"api_key", "key_name", "name"});
    endpoint.key_secret = text_of_any(key, {"api_secret", "key", "secret"});
  }
  return endpoint;
}

core::Result<YAML::Node> load(const std::string& path = configuration_file()) {
  if (!std::filesystem::exists(path)) return YAML::Node(YAML::NodeType::Map);
  try {
    auto whole = YAML::LoadFile(path);
    if (whole.IsNull()) return YAML::Node(YAML::NodeType::Map);
    if (whole.IsMap()) return whole;
  } catch (const YAML::Exception& error) {
    return core::refuse(ErrorCode::invalid_argument, path + ": " + error.what());
  }
  return core::refuse(ErrorCode::invalid_argument, path + " is no yaml map");
}

core::Result<void> store(const YAML::Node& whole) {
  const std::filesystem::path path = configuration_file();
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  // Written beside and moved, so that a kill leaves the old file or the new one.
  const auto fresh = path.string() + ".new";
  const auto mask = umask(077);
  std::ofstream file(fresh, std::ios::trunc);
  umask(mask);
  file << whole << "\n";
  file.close();
  if (!error && file) std::filesystem::rename(fresh, path, error);
  if (error || !file)
    return core::refuse(ErrorCode::invalid_argument, path.string() + " cannot be written");
  return {};
}

/// The part of a file by its path, a.b.c; no map and no text where there is none.
YAML::Node yaml_part(const std::string& path) {
  const auto whole = load();
  if (!whole) return {};
  YAML::Node at = *whole;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    at.reset(part_of(at, path.substr(begin, end - begin).c_str()));
    begin = end + 1;
  }
  return at;
}

// A file that a person wrote is not deeper; one with a ring of anchors is.
constexpr int yaml_depth_max = 32;

Json json_of_yaml(const YAML::Node& node, int depth = 0) {
  if (depth > yaml_depth_max || node.IsNull() || !node.IsDefined()) return {};
  if (node.IsScalar()) return node.as<std::string>();
  if (node.IsSequence()) {
    Json list = Json::list();
    for (const auto& each : node) list.add(json_of_yaml(each, depth + 1));
    return list;
  }
  Json object = Json::object();
  for (const auto& each : node)
    object.set(each.first.as<std::string>(), json_of_yaml(each.second, depth + 1));
  return object;
}

void merge_into(YAML::Node to, const YAML::Node& from, int depth = 0) {
  for (const auto& each : from) {
    const auto key = each.first.as<std::string>();
    if (depth < yaml_depth_max && each.second.IsMap() && to[key] && to[key].IsMap())
      merge_into(to[key], each.second, depth + 1);
    else
      to[key] = each.second;
  }
}

}  // namespace

core::Result<Endpoint> Endpoint::from_environment() {
  Endpoint endpoint{.url = trimmed(variable("NUCLEUS_URL")),
                    .token = variable("NUCLEUS_TOKEN"),
                    .key_name = variable("NUCLEUS_API_KEY_NAME"),
                    .key_secret = variable("NUCLEUS_API_KEY_SECRET"),
                    .ca_file = variable("NUCLEUS_CA_FILE")};
  if (endpoint.url.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "no endpoint: source a deployment's env file, or run comet init");
  if (!endpoint.has_credential() && !has_netrc())
    return core::refuse(ErrorCode::invalid_argument,
                        "set NUCLEUS_TOKEN, or NUCLEUS_API_KEY_NAME and NUCLEUS_API_KEY_SECRET");
  return endpoint;
}

std::string client_folder() {
  if (auto said = variable("NUCLEUS_CLIENT_DIR"); !said.empty()) return said;
  return variable("HOME") + "/.cloudmesh";
}

std::string configuration_file() {
  return client_folder() + "/cloudmesh.yaml";
}

core::Result<Endpoints> Endpoints::read() {
  const auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  const auto comet = part_of(part_of(*whole, "cloudmesh"), "comet");
  Endpoints endpoints{.username = text_of(comet, "username"), .active = text_of(comet, "active")};
  const auto entries = part_of(comet, "endpoints");
  if (!entries.IsMap()) return endpoints;
  for (const auto& entry : entries) {
    const auto name = entry.first.as<std::string>();
    endpoints.all.push_back(endpoint_of(name, entry.second, endpoints.username));
  }
  if (endpoints.active.empty() && !endpoints.all.empty())
    endpoints.active = endpoints.all.front().name;
  return endpoints;
}

core::Result<Endpoint> Endpoints::named(const std::string& name) const {
  std::string names;
  for (const auto& endpoint : all) {
    if (endpoint.name == name) return endpoint;
    names += (names.empty() ? "" : ", ") + endpoint.name;
  }
  return core::refuse(ErrorCode::not_found,
                      "no endpoint " + msg::shown(name) +
                          (names.empty() ? ": the yaml file has none" : "; there are " + names),
                      "endpoint");
}

core::Result<Endpoint> choose_endpoint(const std::string& name) {
  if (name.empty() && !variable("NUCLEUS_URL").empty()) return Endpoint::from_environment();
  const auto endpoints = Endpoints::read();
  if (!endpoints) return std::unexpected(endpoints.error());
  if (name.empty() && endpoints->all.empty()) return Endpoint::from_environment();
  auto endpoint = endpoints->named(name.empty() ? endpoints->active : name);
  if (!endpoint) return endpoint;
  if (endpoint->url.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "endpoint " + endpoint->name + " has no nucleus_base_url");
  if (!endpoint->has_credential() && !has_netrc())
    return core::refuse(ErrorCode::invalid_argument,
                        "endpoint " + endpoint->name + " has no API key: run comet init");
  return endpoint;
}

std::optional<std::string> yaml_value(const std::string& path) {
  const auto part = yaml_part(path);
  if (!part.IsScalar()) return std::nullopt;
  return part.as<std::string>();
}

std::vector<std::pair<std::string, std::string>> yaml_entries(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> entries;
  const auto part = yaml_part(path);
  if (!part.IsMap()) return entries;
  for (const auto& each : part)
    if (each.second.IsScalar())
      entries.emplace_back(each.first.as<std::string>(), each.second.as<std::string>());
  return entries;
}

core::Result<Json> yaml_as_json() {
  const auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  return json_of_yaml(*whole);
}

core::Result<void> write_endpoint(const std::string& username, const Endpoint& endpoint) {
  auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  auto comet = (*whole)["cloudmesh"]["comet"];
  comet["username"] = username;
  comet["active"] = endpoint.name;
  auto entry = comet["endpoints"][endpoint.name];
  entry["nucleus_base_url"] = endpoint.url + "/nucleus";
  entry["api_version"] = "v1";
  entry["auth_provider"] = endpoint.key_name.empty() ? "userpass" : "apikey";
  entry["userpass"]["username"] = username;
  entry["userpass"]["password"] = "readline";
  if (!endpoint.key_name.empty()) {
    entry["apikey"]["api_key"] = endpoint.key_name;
    entry["apikey"]["api_secret"] = endpoint.key_secret;
  }
  if (!endpoint.ca_file.empty()) entry["ca_file"] = endpoint.ca_file;
  return store(*whole);
}

core::Result<void> write_username(const std::string& username) {
  auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  (*whole)["cloudmesh"]["comet"]["username"] = username;
  return store(*whole);
}

core::Result<void> merge_yaml(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return core::refuse(ErrorCode::not_found, "there is no file " + path);
  const auto more = load(path);
  if (!more) return std::unexpected(more.error());
  auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  merge_into(*whole, *more);
  return store(*whole);
}

core::Result<void> write_active(const std::string& name) {
  auto whole = load();
  if (!whole) return std::unexpected(whole.error());
  (*whole)["cloudmesh"]["comet"]["active"] = name;
  return store(*whole);
}

}  // namespace nucleus::client

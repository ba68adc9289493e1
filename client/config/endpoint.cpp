#include "client/config/endpoint.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "client/config/yaml_file.hpp"
#include "client/http/url.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

/// The first line of a file that only its owner may read. `invalid_argument`: others may too.
core::Result<std::string> token_in(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::is_regular_file(status))
    return core::refuse(ErrorCode::invalid_argument, "NUCLEUS_TOKEN_FILE: no such file: " + path);
  using enum std::filesystem::perms;
  if ((status.permissions() & (group_all | others_all)) != none)
    return core::refuse(ErrorCode::invalid_argument,
                        "NUCLEUS_TOKEN_FILE: others may use " + path + ": run chmod 600");
  std::string token;
  std::ifstream file(path);
  if (!(file >> token))
    return core::refuse(ErrorCode::invalid_argument, "NUCLEUS_TOKEN_FILE: no token in " + path);
  return token;
}

bool has_netrc() {
  std::error_code error;
  return std::filesystem::exists(home_folder() + "/.netrc", error);
}

/// The first of these keys that has a value: files of several generations differ.
std::string text_of(const Json& map, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (const auto& value = map[key];
        value.is_text() && !value.text().empty() && value.text() != "TBD")
      return value.text();
  return {};
}

Endpoint endpoint_of(const Json& entry, const std::string& username) {
  const Json& key = entry["apikey"];
  const Json& person = entry["userpass"];
  Endpoint endpoint{.name = entry.key(),
                    .url = without_api_path(text_of(entry, {"nucleus_base_url"})),
                    .token = text_of(entry, {"token"}),
                    .ca_file = text_of(entry, {"ca_file"})};
  std::string provider = text_of(entry, {"auth_provider"});
  for (char& c : provider) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (provider == "userpass") {
    endpoint.username = text_of(person, {"username"});
    if (endpoint.username.empty()) endpoint.username = username;
    endpoint.password = text_of(person, {"password"});
    if (endpoint.password.empty()) endpoint.password = "readline";
  } else {
    endpoint.key_name = text_of(key, {"api_key", "key_name", "name"});
    endpoint.key_secret = text_of(key, {"api_secret", "key", "secret"});
  }
  return endpoint;
}

core::Result<Endpoint> find_endpoint(const std::string& name) {
  if (name.empty() && !variable("NUCLEUS_URL").empty()) return Endpoint::from_environment();
  const auto endpoints = Endpoints::read();
  if (!endpoints) return std::unexpected(endpoints.error());
  if (name.empty() && endpoints->all.empty()) return Endpoint::from_environment();
  auto endpoint = endpoints->named(name.empty() ? endpoints->active : name);
  if (!endpoint) return endpoint;
  if (endpoint->url.empty())
    return core::refuse(ErrorCode::invalid_argument, "endpoint " + endpoint->name +
                                                         " has no nucleus_base_url: set it in " +
                                                         configuration_file());
  if (!endpoint->has_credential() && !has_netrc())
    return core::refuse(ErrorCode::invalid_argument,
                        "endpoint " + endpoint->name + " has no API key: run comet init");
  return endpoint;
}

}  // namespace

core::Result<Endpoint> Endpoint::from_environment() {
  Endpoint endpoint{.url = without_api_path(variable("NUCLEUS_URL")),
                    .token = variable("NUCLEUS_TOKEN"),
                    .key_name = variable("NUCLEUS_API_KEY_NAME"),
                    .key_secret = variable("NUCLEUS_API_KEY_SECRET"),
                    .ca_file = variable("NUCLEUS_CA_FILE")};
  if (const auto path = variable("NUCLEUS_TOKEN_FILE"); endpoint.token.empty() && !path.empty()) {
    auto token = token_in(path);
    if (!token) return std::unexpected(token.error());
    endpoint.token = std::move(*token);
  }
  if (endpoint.url.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "no endpoint: source a deployment's env file, or run comet init");
  if (!endpoint.has_credential() && !has_netrc())
    return core::refuse(ErrorCode::invalid_argument,
                        "set NUCLEUS_TOKEN, or NUCLEUS_API_KEY_NAME and NUCLEUS_API_KEY_SECRET");
  return endpoint;
}

core::Result<Endpoints> Endpoints::read() {
  const auto whole = read_yaml();
  if (!whole) return std::unexpected(whole.error());
  const Json& comet = (*whole)["cloudmesh"]["comet"];
  Endpoints endpoints{.username = text_of(comet, {"username"}),
                      .active = text_of(comet, {"active"})};
  if (!comet["endpoints"].is_object()) return endpoints;
  for (const auto& entry : comet["endpoints"].items())
    endpoints.all.push_back(endpoint_of(entry, endpoints.username));
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
                      "no such endpoint: " + msg::shown(name) +
                          (names.empty() ? "; the yaml file has none" : "; there are " + names),
                      "endpoint");
}

core::Result<Endpoint> choose_endpoint(const std::string& name) {
  auto endpoint = find_endpoint(name);
  if (endpoint && origin_of(endpoint->url).empty())
    return core::refuse(ErrorCode::unavailable,
                        (endpoint->name.empty() ? "NUCLEUS_URL" : "endpoint " + endpoint->name) +
                            ": not a URL of a server: " + msg::shown(endpoint->url));
  return endpoint;
}

std::string without_api_path(std::string url) {
  constexpr std::string_view api_path = "/nucleus";
  while (url.ends_with('/')) url.pop_back();
  if (url.ends_with(api_path)) url.resize(url.size() - api_path.size());
  return url;
}

core::Result<void> write_endpoint(const std::string& username, const Endpoint& endpoint) {
  const auto at = [&](std::initializer_list<std::string> keys) {
    std::vector<std::string> path = {"cloudmesh", "comet", "endpoints", endpoint.name};
    path.insert(path.end(), keys);
    return path;
  };
  const bool has_key = !endpoint.key_name.empty();
  std::vector<YamlChange> changes = {{{"cloudmesh", "comet", "username"}, username},
                                     {{"cloudmesh", "comet", "active"}, endpoint.name},
                                     {at({"nucleus_base_url"}), endpoint.url + "/nucleus"},
                                     {at({"api_version"}), "v1"},
                                     {at({"auth_provider"}), has_key ? "apikey" : "userpass"},
                                     {at({"userpass", "username"}), username},
                                     {at({"userpass", "password"}), "readline"}};
  if (has_key) {
    changes.emplace_back(at({"apikey", "api_key"}), endpoint.key_name);
    changes.emplace_back(at({"apikey", "api_secret"}), endpoint.key_secret);
  }
  if (!endpoint.ca_file.empty()) changes.emplace_back(at({"ca_file"}), endpoint.ca_file);
  return change_yaml(changes);
}

core::Result<void> write_username(const std::string& username) {
  return change_yaml({{{"cloudmesh", "comet", "username"}, username}});
}

core::Result<void> write_active(const std::string& name) {
  return change_yaml({{{"cloudmesh", "comet", "active"}, name}});
}

}  // namespace nucleus::client

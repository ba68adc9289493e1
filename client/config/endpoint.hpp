// The server that a command speaks to and the credential that it uses: from the environment or the
// yaml file.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

/// One server and at most one credential: a token, an API key, or a user name and password.
struct Endpoint {
  std::string name = {};  // in the file; empty if it is of the environment
  std::string url = {};   // without the /nucleus at the end that first-generation clients wrote
  std::string token = {};
  std::string key_name = {};
  std::string key_secret = {};
  std::string username = {};
  std::string password = {};  // `readline` = ask for it, `env` = read COMET_PASSWORD
  std::string ca_file = {};   // CA certificates that the server is verified with

  /// Without one, user name and password come from ~/.netrc.
  bool has_credential() const {
    return !token.empty() || !username.empty() || (!key_name.empty() && !key_secret.empty());
  }

  /// From NUCLEUS_URL, NUCLEUS_CA_FILE, and NUCLEUS_TOKEN, NUCLEUS_TOKEN_FILE, or
  /// NUCLEUS_API_KEY_NAME and _SECRET. `invalid_argument` names the variable that is missing.
  static core::Result<Endpoint> from_environment();
};

/// The file's endpoints and the active one; none if the file does not exist.
struct Endpoints {
  std::string username = {};
  std::string active = {};
  std::vector<Endpoint> all = {};

  static core::Result<Endpoints> read();
  /// `not_found` lists the names of the others.
  core::Result<Endpoint> named(const std::string& name) const;
};

/// The endpoint of that name; if `name` is empty, that of the environment, else the active one.
core::Result<Endpoint> choose_endpoint(const std::string& name);

/// The URL of a server as endpoints keep it: without slashes or /nucleus at the end.
std::string without_api_path(std::string url);

/// Adds or replaces an endpoint and makes it the active one.
core::Result<void> write_endpoint(const std::string& username, const Endpoint& endpoint);
core::Result<void> write_active(const std::string& name);
core::Result<void> write_username(const std::string& username);

}  // namespace nucleus::client

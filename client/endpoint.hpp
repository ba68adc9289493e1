// Where a gateway is, and as whom one speaks to it: from the environment or from the cloudmesh yaml
// file, whose form old clients made (compat section 1.7).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/api/json.hpp"
#include "core/result.hpp"

namespace nucleus::client {

/// One gateway and one way to say who one is: a token, an API key, or a name and password.
struct Endpoint {
  std::string name = {};  // in the file; empty = of the environment
  std::string url = {};   // without the old clients' /nucleus at its end
  std::string token = {};
  std::string key_name = {};
  std::string key_secret = {};
  std::string username = {};
  std::string password = {};  // `readline` = ask for it, `env` = COMET_PASSWORD
  std::string ca_file = {};   // whose certificates are believed; empty = the system's
  bool has_hpcinfo = false;   // tells of reservations

  /// Without one, name and password come from ~/.netrc.
  bool has_credential() const {
    return !token.empty() || !username.empty() || (!key_name.empty() && !key_secret.empty());
  }

  /// From NUCLEUS_URL, NUCLEUS_TOKEN or NUCLEUS_API_KEY_NAME and _SECRET, and NUCLEUS_CA_FILE.
  /// `invalid_argument` names the variable that is missing.
  static core::Result<Endpoint> from_environment();
};

/// `~/.cloudmesh`, or NUCLEUS_CLIENT_DIR: the yaml file and the local copy.
std::string client_folder();
std::string configuration_file();

/// The file's endpoints and which is active. No file is no endpoints.
struct Endpoints {
  std::string username = {};
  std::string active = {};
  std::vector<Endpoint> all = {};

  /// `invalid_argument`: it is no such file; says what is wrong.
  static core::Result<Endpoints> read();
  /// `not_found` names those there are.
  core::Result<Endpoint> named(const std::string& name) const;
};

/// The endpoint of `--endpoint`; without one that of the environment, else the active one.
core::Result<Endpoint> choose_endpoint(const std::string& name);

/// A text of the file by its path, as `cloudmesh.comet.active`; nothing where there is none.
std::optional<std::string> yaml_value(const std::string& path);

/// The names and texts of a map of the file by its path; none where there is no such map.
std::vector<std::pair<std::string, std::string>> yaml_entries(const std::string& path);
/// The whole file; each value is a text.
core::Result<Json> yaml_as_json();

/// Writes one endpoint and the active one; all else of the file stays. Only its owner may read it.
core::Result<void> write_endpoint(const std::string& username, const Endpoint& endpoint);
core::Result<void> write_active(const std::string& name);
core::Result<void> write_username(const std::string& username);
/// Takes all of another yaml file into this one; what it says wins. `invalid_argument`: no yaml.
core::Result<void> merge_yaml(const std::string& path);

}  // namespace nucleus::client

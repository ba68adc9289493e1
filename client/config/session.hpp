// What one run of `cm` keeps from command to command: connections to servers, the local copy, and
// the state of the shell.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/api/api.hpp"
#include "client/config/local_copy.hpp"

namespace nucleus::client {

class Session {
 public:
  /// The server of `--endpoint`, or of the default endpoint.
  core::Result<const Api*> api(const std::string& endpoint = {});
  /// Makes this endpoint the default one of the session.
  void use(Endpoint endpoint);
  /// Settings and the local copy; opened at first use.
  core::Result<LocalCopy*> copy();
  /// The key of an endpoint's rows in the local copy.
  std::string endpoint_key(const std::string& endpoint = {}) const;

  /// What `default KEY=VALUE` stored for an endpoint, else for all; empty if nothing. Creates no
  /// file.
  std::string setting(const std::string& key, const std::string& endpoint = {});
  bool has_copy() const;
  /// A switch, such as `debug on`.
  bool is_on(const std::string& key) { return setting(key) == "on"; }

  /// True at a terminal unless `color off` is set.
  bool is_colored(bool is_terminal) { return is_terminal && setting("color") != "off"; }

  bool is_over = false;  // `quit` was run
  bool is_interactive = false;
  bool is_echoed = false;     // print each line of a script
  bool is_debugging = false;  // print each request
  int script_depth = 0;
  std::vector<std::string> history = {};  // of this shell, oldest first

 private:
  std::map<std::string, std::unique_ptr<Api>> apis_ = {};
  std::unique_ptr<LocalCopy> copy_ = {};
};

}  // namespace nucleus::client

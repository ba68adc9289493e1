// What one run of `cm` remembers from command to command: whom it speaks to and where it keeps
// things. A command of one line is a session of one command.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/api/api.hpp"
#include "client/local_copy.hpp"

namespace nucleus::client {

class Session {
 public:
  /// The gateway of `--endpoint`, or the one that is meant without it.
  core::Result<const Api*> api(const std::string& endpoint = {});
  /// From now on this is the gateway that is meant without `--endpoint`.
  void use(Endpoint endpoint);
  /// Settings and the local copy, in the client's folder; made at first use.
  core::Result<LocalCopy*> copy();
  /// By which name the copy knows what this endpoint says.
  std::string endpoint_key(const std::string& endpoint = {}) const;

  /// What `default KEY=VALUE` keeps, of an endpoint, else in general; empty = nothing. Where
  /// nothing was ever kept no file is made.
  std::string setting(const std::string& key, const std::string& endpoint = {});
  /// Was anything ever kept?
  bool has_copy() const;
  /// A switch, as `debug on` keeps it.
  bool is_on(const std::string& key) { return setting(key) == "on"; }

  /// At a terminal, and not after `color off`.
  bool is_colored(bool is_terminal) { return is_terminal && setting("color") != "off"; }

  bool is_over = false;  // quit was said
  bool is_interactive = false;
  bool is_echoed = false;     // a script's lines are shown
  bool is_debugging = false;  // each request is shown; `debug on` does so, too
  int script_depth = 0;
  std::vector<std::string> history = {};  // of this shell, oldest first

 private:
  std::map<std::string, std::unique_ptr<Api>> apis_ = {};
  std::unique_ptr<LocalCopy> copy_ = {};
};

/// Runs one command by its words, as a shell or a terminal gives them; its exit code.
int run_words(Session& session, const std::vector<std::string>& words);
/// Runs one line of the shell: a command, a comment, `!` and a shell's line, or a file.
int run_line(Session& session, const std::string& line);
/// Each line of a file, till one says quit; the last command's exit code.
int run_script(Session& session, const std::string& path);

}  // namespace nucleus::client

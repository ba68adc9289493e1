// The shell: interactive with history and completion by libedit, or from a file or standard input.
#pragma once

#include "client/config/session.hpp"

namespace nucleus::client {

/// Reads commands until `quit` or the end of input. Returns the exit code of the last command at a
/// terminal, else the first one that is not 0.
int run_shell(Session& session);
/// Runs one line: a command, a comment, `!` and a line for the system's shell, or a script's name.
int run_line(Session& session, const std::string& line);
/// Runs each line of a file until `quit`. Returns the first exit code that is not 0.
int run_script(Session& session, const std::string& path);

/// The completions of a line: from the table, the local copy and the yaml file. With `may_refresh`
/// an old local copy is updated first.
std::vector<std::string> completions_in(Session& session, const std::vector<std::string>& words,
                                        bool may_refresh);
/// Replaces the local copy of an endpoint's clusters and images with what the server has.
core::Result<void> refresh_copy(Session& session, const std::string& endpoint);
/// Runs a program at this terminal. Returns its exit code; 127 if it is not installed.
int run_here(const std::vector<std::string>& argv);

}  // namespace nucleus::client

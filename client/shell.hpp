// The interactive shell: history and completion by libedit.
#pragma once

#include "client/session.hpp"

namespace nucleus::client {

/// Reads commands till quit or the end of input; the last one's exit code.
int run_shell(Session& session);

/// What completion offers for these words: of the table, the local copy and the yaml file.
std::vector<std::string> completions_in(Session& session, const std::vector<std::string>& words,
                                        bool may_refresh);
/// Asks the server for clusters and images, and keeps them.
core::Result<void> refresh_copy(Session& session, const std::string& endpoint);
/// Runs a program at this terminal; its exit code, 127 where there is none such.
int run_here(const std::vector<std::string>& argv);

}  // namespace nucleus::client

// The possible next words of a line, from the command table. Pure: the caller looks up names.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/grammar/command.hpp"

namespace nucleus::client {

/// Names of a kind of the table: CLUSTER, NODES, IMAGE, ENDPOINT, COMMAND, KEY or FORMAT. `cluster`
/// is the one that the line names, or empty.
using NamesOf =
    std::function<std::vector<std::string>(const std::string& kind, const std::string& cluster)>;

/// Commands, options and names that begin with the last word. `words` is not empty.
std::vector<std::string> completions(const Command& table, const std::vector<std::string>& words,
                                     const NamesOf& names_of);

/// A script that completes `cm` and `comet` in bash, zsh or fish; empty for any other shell.
std::string completion_script(const std::string& shell);

}  // namespace nucleus::client

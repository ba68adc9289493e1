// What may come next in a line of words, from the command table. Pure: names are looked up by the
// caller.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/command.hpp"

namespace nucleus::client {

/// Names of a kind, as the table calls it: CLUSTER, NODES, IMAGE, ENDPOINT, COMMAND, KEY. `of` is
/// the cluster that the line names, if any.
using NamesOf =
    std::function<std::vector<std::string>(const std::string& kind, const std::string& of)>;

/// Commands, options or names that begin with the last word; `words` has at least that one.
std::vector<std::string> completions(const Command& table, const std::vector<std::string>& words,
                                     const NamesOf& names_of);

/// A script for bash, zsh or fish that completes `cm` and `comet`; empty for any other.
std::string completion_script(const std::string& shell);

}  // namespace nucleus::client

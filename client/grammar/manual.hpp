// Manual pages made from the command table: plain text for `man` and `help`, roff for man(1).
#pragma once

#include <string>

#include "client/grammar/command.hpp"

namespace nucleus::client {

/// `comet start CLUSTER [NODES] [--count=COUNT] …` of a command without subcommands. `name` is its
/// full name.
std::string synopsis(const Command& command, const std::string& name);
std::string manual_text(const Command& command, const std::string& name, bool has_header);
std::string manual_roff(const Command& command);

}  // namespace nucleus::client

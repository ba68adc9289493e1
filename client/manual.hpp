// Manual pages from the command table: as text for the shell's `man`, as roff for man(1). Pure.
#pragma once

#include <string>

#include "client/command.hpp"

namespace nucleus::client {

/// `comet start CLUSTER [NODES] [--count=COUNT] …`: a command that ends a line of words. `name` is
/// all of its name.
std::string synopsis(const Command& command, const std::string& name);
std::string manual_text(const Command& command, const std::string& name, bool has_header);
std::string manual_roff(const Command& command);

}  // namespace nucleus::client

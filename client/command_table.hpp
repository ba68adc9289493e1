// The one table of all commands: from it come parsing, `help`, `man`, the man pages and completion.
#pragma once

#include <string>
#include <vector>

#include "client/command.hpp"

namespace nucleus::client {

/// `cm` itself: its parts are all commands.
const Command& command_table();

/// Where the beginning of a line leads.
struct NamedCommand {
  const Command* command = nullptr;
  std::string name = {};  // as it was said: "comet iso attach"
  std::size_t words = 0;  // so many of the line are its name
};
NamedCommand command_named(const std::vector<std::string>& words);

}  // namespace nucleus::client

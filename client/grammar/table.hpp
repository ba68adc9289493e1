// The one table of commands. Parsing, `help`, `man`, the man pages and completion read it.
#pragma once

#include <string>
#include <vector>

#include "client/grammar/command.hpp"

namespace nucleus::client {

/// `cm` itself; its subcommands are all commands.
const Command& command_table();

/// The command that the first words of a line name.
struct NamedCommand {
  const Command* command = nullptr;
  std::string name = {};  // as given: "comet iso attach"
  std::size_t words = 0;  // the number of words in `name`
};
NamedCommand command_named(const std::vector<std::string>& words);

}  // namespace nucleus::client

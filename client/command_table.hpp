// The one table of all commands: from it come parsing, `help`, `man`, the man pages and completion.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/commands/commands.hpp"

namespace nucleus::client {

/// A fresh table, whose commands choose into `chosen`, which must outlive it.
std::unique_ptr<CLI::App> command_table(Chosen& chosen);

/// Its parts, in the order in which they were added.
std::vector<CLI::App*> commands_of(CLI::App& app);
std::vector<const CLI::App*> commands_of(const CLI::App& app);

}  // namespace nucleus::client

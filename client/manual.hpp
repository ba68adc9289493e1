// Manual pages from the command table: as text for the shell's `man`, as roff for man(1). Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace nucleus::client {

/// `comet start CLUSTER [NODES] [--count=COUNT] …`: a command that ends a line of words.
std::string synopsis(const CLI::App& command);
std::string manual_text(const CLI::App& command, bool has_header);
std::string manual_roff(const CLI::App& command);

}  // namespace nucleus::client

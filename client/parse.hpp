// Words to what they say of a command, by CLI11, which is included here alone: a parser is made of
// the one command that a line names.
#pragma once

#include <string>
#include <vector>

#include "client/command.hpp"

namespace nucleus::client {

/// `words` follow the command's own name. `--help` may be among them, and is then all that is said.
/// `invalid_argument` says what is wrong.
core::Result<Words> parse(const Command& command, std::vector<std::string> words);

/// Words between blanks; quotes hold one together.
std::vector<std::string> words_of(const std::string& text);

}  // namespace nucleus::client

// A line's words as the values of a command's arguments, by CLI11. A parser is built for the one
// command that a line names.
#pragma once

#include <string>
#include <vector>

#include "client/grammar/command.hpp"

namespace nucleus::client {

/// `words` are those after the command's name. If `--help` is among them, it is the only value set.
/// `invalid_argument`: the words do not fit the command, or a value is blank: an unset variable of
/// a script must not make a command mean another thing.
core::Result<Words> parse(const Command& command, std::vector<std::string> words);

}  // namespace nucleus::client

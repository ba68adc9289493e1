// `cm` and `comet`: from the words of a command line to its exit code.
#pragma once

#include <string>
#include <vector>

namespace nucleus::client {

class Session;

/// `cm WORDS`; `comet WORDS` is `cm comet WORDS`. Exit code 1: it failed; 2: it was used
/// incorrectly.
int run_program(const std::vector<std::string>& words);

/// Runs one command by its words and prints its error, if any. Returns its exit code.
int run_words(Session& session, const std::vector<std::string>& words);

}  // namespace nucleus::client

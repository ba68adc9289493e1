// `cm` and `comet` from their words to their exit code: 1 = it failed, 2 = asked wrongly.
#pragma once

#include <string>
#include <vector>

namespace nucleus::client {

/// `cm WORDS`; `comet WORDS` is `cm comet WORDS`.
int run_program(const std::vector<std::string>& words);

}  // namespace nucleus::client

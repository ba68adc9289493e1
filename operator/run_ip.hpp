// Runs ip(8).
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"

namespace nucleus::operator_ {

/// Runs `ip` with the words of each line that is not empty, until one fails.
inline core::Result<void> run_ip(const std::string& script) {
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> words{"ip"};
    std::istringstream rest(line);
    for (std::string word; rest >> word;) words.push_back(word);
    if (words.size() == 1) continue;
    if (auto done = core::must_run_child({.argv = words}); !done)
      return core::refuse(done.error().code, "ip " + line + ": " + done.error().detail);
  }
  return {};
}

}  // namespace nucleus::operator_

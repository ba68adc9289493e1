// Runs ovs-vsctl(8).
#pragma once

#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"

namespace nucleus::operator_ {

/// Runs it on the switch with its sockets in `directory`. Returns its output once the switch has
/// applied the change.
inline core::Result<std::string> run_ovs_vsctl(const std::string& directory,
                                               const std::vector<std::string>& words) {
  std::vector<std::string> argv{"ovs-vsctl", "--timeout=10", "--db=unix:" + directory + "/db.sock"};
  argv.insert(argv.end(), words.begin(), words.end());
  return core::must_run_child({.argv = std::move(argv)});
}

}  // namespace nucleus::operator_

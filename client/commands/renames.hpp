// The order of renames, such that no two nodes ever have the same name. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

using Renames = std::vector<std::pair<std::string, std::string>>;  // old, new

/// `existing` are the names of the cluster's nodes. Both lists must have the same length, `before`
/// must exist, and `after` must not collide with a node that keeps its name. A cycle of names goes
/// through a temporary one.
core::Result<Renames> plan_renames(const std::vector<std::string>& existing,
                                   const std::vector<std::string>& before,
                                   const std::vector<std::string>& after);

}  // namespace nucleus::client

// In which order nodes are renamed, so that no name is ever given twice. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

using Renames = std::vector<std::pair<std::string, std::string>>;  // old, new

/// `existing` are the cluster's nodes. Both lists as long; old names are there; new ones are in the
/// way of none that stays. A ring of names goes by a name of its own in between.
core::Result<Renames> plan_renames(const std::vector<std::string>& existing,
                                   const std::vector<std::string>& before,
                                   const std::vector<std::string>& after);

}  // namespace nucleus::client

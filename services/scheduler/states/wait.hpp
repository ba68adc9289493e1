// Why a node or a computeset waits.
#pragma once

#include <string>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// What a node needs before it can be placed anywhere: its ports, then its volume. Its `reason` is
/// `unknown` if nothing is missing.
Wait missing_for(const StoredNode& node);

inline bool is_missing_something(const StoredNode& node) {
  return node.ports.empty() || !node.is_volume_ready;
}

/// One line for a person; empty if it does not wait.
std::string text_of(const Wait& wait);

}  // namespace nucleus::scheduler

// What an admin is told of a node: pure.
#pragma once

#include <string>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

struct ToldState {
  msg::NodeState state = msg::NodeState::unknown;
  std::string reason = {};  // empty where all is as wanted
};

/// `host`: where the node is placed, or null.
ToldState told_state(const StoredNode& node, const StoredHost* host);

/// Why a node cannot be placed yet; empty = it can.
std::string what_is_missing(const StoredNode& node);

}  // namespace nucleus::scheduler

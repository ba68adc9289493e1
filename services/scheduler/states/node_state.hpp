// The state of a node as it is reported: a pure function of its record and its host's.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// What a row of the table compares; `any` fits both.
enum class Condition : std::uint8_t { any, no, yes };

/// One rule: the first rule that fits a node gives its state. docs/states.md shows the same table.
struct NodeStateRule {
  Condition is_placed = Condition::any;
  Condition is_host_up = Condition::any;
  Condition is_to_run = Condition::any;         // not placed: desired on; placed: its grant is on
  std::vector<msg::DomainState> observed = {};  // empty = any
  msg::NodeState state = msg::NodeState::unknown;
};

const std::vector<NodeStateRule>& node_state_rules();

struct ReportedState {
  msg::NodeState state = msg::NodeState::unknown;
  std::string reason = {};  // empty if the node is as desired
};

/// `host`: where the node is placed, or null.
ReportedState reported_state(const StoredNode& node, const StoredHost* host);

}  // namespace nucleus::scheduler

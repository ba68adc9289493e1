#include "services/scheduler/states/node_state.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

namespace {

using msg::DomainState;
using msg::NodeState;
using enum Condition;

bool fits(Condition condition, bool value) {
  return condition == any || (condition == yes) == value;
}

std::string reason_of(const StoredNode& node, const StoredHost* host, NodeState state) {
  if (node.host_id.empty() && node.is_desired_on) return text_of(node.wait);
  if (node.host_id.empty())
    return msg::is_under_way(node.disk_work) ? text_of(node.disk_work) : node.observed_reason;
  if (!host || host->state != msg::HostState::up)
    return "host " + node.host_id.value + ": " + (host ? host->reason : "unknown");
  for (const auto& fault : host->isolation_faults)
    if (fault.is_quarantined && fault.node_id == node.definition.node_id)
      return "a port of it is closed: " + fault.reason;
  if (state == NodeState::active) return {};
  if (!node.is_grant_on && node.is_desired_on && node.wait.reason != WaitReason::unknown)
    return text_of(node.wait);
  if (state == NodeState::shutdown && node.observed != DomainState::stopping)
    return "is being stopped";
  if (is_joining(node))
    return "its InfiniBand adapters join its partitions" +
           (node.joining_reason.empty() ? "" : ": " + node.joining_reason);
  if (state == NodeState::nostate && node.observed_reason.empty()) return "is being started";
  if (node.is_grant_on && node.wait.reason == WaitReason::start_failed)
    return node.observed_reason + "; host " + node.host_id.value +
           " tries again: " + node.wait.detail;
  return node.observed_reason;
}

}  // namespace

const std::vector<NodeStateRule>& node_state_rules() {
  static const std::vector<NodeStateRule> rules = {
      {no, any, yes, {}, NodeState::nostate},
      {no, any, no, {DomainState::unknown}, NodeState::nostate},
      {no, any, no, {DomainState::crashed}, NodeState::crashed},
      {no, any, no, {}, NodeState::shutoff},
      {yes, no, any, {}, NodeState::nostate_error},
      {yes, yes, any, {DomainState::unreachable}, NodeState::nostate_error},
      {yes, yes, any, {DomainState::crashed}, NodeState::crashed},
      {yes, yes, any, {DomainState::shutoff}, NodeState::shutoff},
      {yes, yes, any, {DomainState::paused}, NodeState::paused},
      {yes, yes, any, {DomainState::stopping}, NodeState::shutdown},
      {yes, yes, yes, {DomainState::running}, NodeState::active},
      {yes, yes, yes, {}, NodeState::nostate},
      {yes, yes, no, {}, NodeState::shutdown},
  };
  return rules;
}

ReportedState reported_state(const StoredNode& node, const StoredHost* host) {
  const bool is_placed = !node.host_id.empty();
  const bool is_host_up = host && host->state == msg::HostState::up;
  const bool is_to_run = is_placed ? node.is_grant_on : node.is_desired_on;
  const auto& rules = node_state_rules();
  const auto rule = std::ranges::find_if(rules, [&](const NodeStateRule& one) {
    return fits(one.is_placed, is_placed) && fits(one.is_host_up, is_host_up) &&
           fits(one.is_to_run, is_to_run) &&
           (one.observed.empty() ||
            std::ranges::find(one.observed, node.observed) != one.observed.end());
  });
  NUCLEUS_ASSERT(rule != rules.end());
  return {rule->state, reason_of(node, host, rule->state)};
}

}  // namespace nucleus::scheduler

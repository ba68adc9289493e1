#include "services/scheduler/node_state.hpp"

namespace nucleus::scheduler {

namespace {

using msg::DomainState;

ToldState told_unplaced(const StoredNode& node) {
  if (node.is_desired_on) {
    const auto missing = what_is_missing(node);
    return {msg::NodeState::nostate, missing.empty() ? "waits for a host with room" : missing};
  }
  if (node.observed == DomainState::unknown) return {msg::NodeState::nostate, ""};
  if (node.observed == DomainState::crashed) return {msg::NodeState::crashed, node.observed_reason};
  return {msg::NodeState::shutoff, node.observed_reason};
}

}  // namespace

std::string what_is_missing(const StoredNode& node) {
  if (node.ports.empty())
    return node.ports_reason.empty() ? "waits for its network" : node.ports_reason;
  if (!node.is_volume_ready)
    return node.volume_reason.empty() ? "waits for its volume" : node.volume_reason;
  return {};
}

ToldState told_state(const StoredNode& node, const StoredHost* host) {
  if (node.host_id.empty()) return told_unplaced(node);
  if (!host) return {msg::NodeState::nostate_error, "its host is not known"};
  if (host->state != msg::HostState::up)
    return {msg::NodeState::nostate_error, "host " + host->host_id.value + ": " + host->reason};
  switch (node.observed) {
    case DomainState::running:
      return {node.is_grant_on ? msg::NodeState::active : msg::NodeState::shutdown,
              node.is_grant_on ? "" : "is being stopped"};
    case DomainState::paused:
      return {msg::NodeState::paused, node.observed_reason};
    case DomainState::stopping:
      return {msg::NodeState::shutdown, node.observed_reason};
    case DomainState::crashed:
      return {msg::NodeState::crashed, node.observed_reason};
    case DomainState::unreachable:
      return {msg::NodeState::nostate_error, node.observed_reason};
    case DomainState::shutoff:
      return {msg::NodeState::shutoff, node.observed_reason};
    case DomainState::absent:
    case DomainState::starting:
    case DomainState::unknown:
      break;
  }
  if (!node.is_grant_on) return {msg::NodeState::shutdown, "is being stopped"};
  return {msg::NodeState::nostate,
          node.observed_reason.empty() ? "is being started" : node.observed_reason};
}

}  // namespace nucleus::scheduler

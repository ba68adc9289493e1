// The states of a host. `drained` is not one of them: it is a flag, reported instead of `up`.
#pragma once

#include "messages/scheduler.hpp"
#include "services/scheduler/states/transition.hpp"

namespace nucleus::scheduler {

/// heartbeat: its hypervisor answers; fault: a heartbeat reports that its hypervisor does not;
/// silence: no heartbeat for `scheduler.host_silence_ms`; lease_end: none for the whole lease.
NUCLEUS_ENUM(HostEvent, heartbeat, fault, silence, lease_end)

inline constexpr std::array<Transition<msg::HostState, HostEvent>, 8> host_transitions{{
    {msg::HostState::unknown, HostEvent::heartbeat, msg::HostState::up},
    {msg::HostState::unknown, HostEvent::fault, msg::HostState::unreachable},
    {msg::HostState::up, HostEvent::fault, msg::HostState::unreachable},
    {msg::HostState::up, HostEvent::silence, msg::HostState::unreachable},
    {msg::HostState::unreachable, HostEvent::heartbeat, msg::HostState::up},
    {msg::HostState::unreachable, HostEvent::lease_end, msg::HostState::lost},
    {msg::HostState::lost, HostEvent::heartbeat, msg::HostState::up},
    {msg::HostState::lost, HostEvent::fault, msg::HostState::unreachable},
}};

constexpr msg::HostState next_state(msg::HostState from, HostEvent event) {
  return next_state(host_transitions, from, event);
}

}  // namespace nucleus::scheduler

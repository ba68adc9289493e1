// The states of a computeset.
#pragma once

#include "messages/scheduler.hpp"
#include "services/scheduler/states/transition.hpp"

namespace nucleus::scheduler {

/// accepted: `StartComputeset`; placed: its nodes have their hosts; cancelled: ended while it
/// waited to start; ended: by request, by its walltime or with its cluster; vacated: the last of
/// its nodes is off; suspended: `HibernateComputeset`; resumed: `ResumeComputeset`; discarded:
/// ended while it was hibernated, or waited to go on.
NUCLEUS_ENUM(ComputesetEvent, accepted, placed, cancelled, ended, vacated, suspended, resumed,
             discarded)

inline constexpr std::array<Transition<msg::ComputesetState, ComputesetEvent>, 11>
    computeset_transitions{{
        {msg::ComputesetState::unknown, ComputesetEvent::accepted, msg::ComputesetState::submitted},
        {msg::ComputesetState::submitted, ComputesetEvent::placed, msg::ComputesetState::running},
        {msg::ComputesetState::submitted, ComputesetEvent::cancelled,
         msg::ComputesetState::cancelled},
        {msg::ComputesetState::running, ComputesetEvent::ended, msg::ComputesetState::ending},
        {msg::ComputesetState::ending, ComputesetEvent::vacated, msg::ComputesetState::completed},
        {msg::ComputesetState::running, ComputesetEvent::suspended,
         msg::ComputesetState::hibernating},
        {msg::ComputesetState::hibernating, ComputesetEvent::vacated,
         msg::ComputesetState::hibernated},
        {msg::ComputesetState::hibernating, ComputesetEvent::ended, msg::ComputesetState::ending},
        {msg::ComputesetState::hibernated, ComputesetEvent::resumed,
         msg::ComputesetState::submitted},
        {msg::ComputesetState::hibernated, ComputesetEvent::discarded,
         msg::ComputesetState::completed},
        {msg::ComputesetState::submitted, ComputesetEvent::discarded,
         msg::ComputesetState::completed},
    }};

constexpr msg::ComputesetState next_state(msg::ComputesetState from, ComputesetEvent event) {
  return next_state(computeset_transitions, from, event);
}

}  // namespace nucleus::scheduler

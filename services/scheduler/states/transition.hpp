// A state machine as a table of transitions. docs/states.md shows the same tables; a unit test
// compares them.
#pragma once

#include <algorithm>
#include <array>

#include "core/assert.hpp"

namespace nucleus::scheduler {

template <class State, class Event>
struct Transition {
  State from;  // `unknown` = there was none
  Event event;
  State to;
};

/// The state that follows. A transition that the table does not have is a defect of ours.
template <class State, class Event, std::size_t Count>
constexpr State next_state(const std::array<Transition<State, Event>, Count>& table, State from,
                           Event event) {
  const auto found = std::ranges::find_if(
      table, [&](const auto& one) { return one.from == from && one.event == event; });
  NUCLEUS_ASSERT(found != table.end());
  return found->to;
}

}  // namespace nucleus::scheduler

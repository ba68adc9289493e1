// The states of a reservation.
#pragma once

#include "messages/reservations.hpp"
#include "services/scheduler/states/transition.hpp"

namespace nucleus::scheduler {

/// accepted: `DefineReservation`; begun, over: its start, its end has come.
NUCLEUS_ENUM(ReservationEvent, accepted, begun, over)

inline constexpr std::array<Transition<msg::ReservationState, ReservationEvent>, 4>
    reservation_transitions{{
        {msg::ReservationState::unknown, ReservationEvent::accepted,
         msg::ReservationState::planned},
        {msg::ReservationState::planned, ReservationEvent::begun, msg::ReservationState::active},
        {msg::ReservationState::planned, ReservationEvent::over, msg::ReservationState::ended},
        {msg::ReservationState::active, ReservationEvent::over, msg::ReservationState::ended},
    }};

constexpr msg::ReservationState next_state(msg::ReservationState from, ReservationEvent event) {
  return next_state(reservation_transitions, from, event);
}

}  // namespace nucleus::scheduler

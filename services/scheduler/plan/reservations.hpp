// Reservations: hosts that are kept for the computesets that name them, or for maintenance.
#pragma once

#include "core/result.hpp"
#include "messages/reservations.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// The plan's only written reservation with a value is the defined one. What a maintenance window
/// that has begun finds on its hosts is ended.
core::Result<Plan> plan_reservation(const View& view, const msg::DefineReservation& request,
                                    std::int64_t now_unix_ms);

/// Computesets that wait for it are cancelled.
core::Result<Plan> plan_remove_reservation(const View& view, const msg::RemoveReservation& request,
                                           std::int64_t now_unix_ms);

/// Begins and ends the reservations whose time has come, and forgets old ones. What runs in one
/// ends with it, and what else runs on its hosts when it begins: computesets end, nodes without
/// one are placed elsewhere.
Plan plan_reservation_steps(const View& view, std::int64_t now_unix_ms);

/// The reservation that a computeset of this project names. Refused with the reason why it cannot
/// run there: of another project, over, without the hosts that the request names, or too small for
/// the nodes.
core::Result<const msg::Reservation*> pick_reservation(const View& view,
                                                       const msg::StartComputeset& request,
                                                       const msg::ProjectId& project_id,
                                                       const std::vector<const StoredNode*>& nodes,
                                                       std::int64_t now_unix_s);

/// Removes the reservations of a project that is removed, as above.
void remove_reservations_of(Draft& draft, const msg::ProjectId& id);

/// When a computeset that runs ends: with its walltime, or before that with its reservation or its
/// allocation.
std::int64_t end_unix_s(const View& view, const StoredComputeset& stored);

/// A reason to wait for this reservation. It names maintenance windows, and the reservation that
/// the computeset itself names; those of projects are not for other tenants to see.
Wait wait_for(const Draft& draft, WaitReason reason, std::int64_t reservation_id);

}  // namespace nucleus::scheduler

#include "services/scheduler/plan/reservations.hpp"

#include <algorithm>

#include "core/hostlist/hostlist.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/reserved_hosts.hpp"
#include "services/scheduler/states/reservation_state.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;
using msg::ReservationState;

namespace {

std::string described(const msg::Reservation& reservation) {
  return (reservation.project_id.empty() ? "maintenance window " : "reservation ") +
         reservation.name;
}

std::unexpected<core::Error> no_such_reservation(const std::string& name) {
  return core::refuse(ErrorCode::not_found, "no such reservation: " + msg::shown(name), "name");
}

/// The unfinished computesets that name it.
std::vector<const StoredComputeset*> computesets_of(const View& view, std::int64_t id) {
  std::vector<const StoredComputeset*> all;
  for (const auto& [of, stored] : view.computesets())
    if (stored.reservation_id == id) all.push_back(&stored);
  return all;
}

bool is_running(const StoredComputeset& stored) {
  return stored.computeset.state == ComputesetState::running;
}

void end_all_of(Draft& draft, std::int64_t id, const std::string& reason) {
  for (const auto* stored : computesets_of(draft.view(), id))
    end_computeset(draft, stored->computeset.computeset_id, true, reason);
}

/// Ends what runs on its hosts and does not name it. A node without an end waits for another host.
void vacate(Draft& draft, const msg::Reservation& reservation) {
  for (const auto& host_id : reserved_hosts(reservation))
    for (const auto& node_id : draft.view().nodes_on(host_id)) {
      const auto* node = draft.node(node_id);
      if (!node || !node->is_grant_on) continue;
      const auto* stored = draft.computeset(node->computeset_id);
      if (stored && stored->reservation_id == reservation.reservation_id) continue;
      if (stored) {
        end_computeset(draft, stored->computeset.computeset_id, true,
                       described(reservation) + " begins on host " + host_id.value);
        continue;
      }
      stop(draft, node_id, true);
      StoredNode& moved = draft.edit(node_id);
      moved.is_desired_on = true;
      moved.wait = wait_for(draft, WaitReason::reservation_begins, reservation.reservation_id);
    }
}

void begin(Draft& draft, std::int64_t id) {
  auto& reservation = draft.edit_reservation(id);
  reservation.state = next_state(reservation.state, ReservationEvent::begun);
  vacate(draft, reservation);
}

void take_step(Draft& draft, std::int64_t id) {
  const auto& before = draft.reservation(id)->reservation;
  if (before.state == ReservationState::ended) {
    draft.changes().reservations[id].reset();
  } else if (before.end_unix_s <= draft.now_unix_s()) {
    auto& reservation = draft.edit_reservation(id);
    reservation.state = next_state(reservation.state, ReservationEvent::over);
    end_all_of(draft, id, described(reservation) + " has ended");
  } else {
    begin(draft, id);
  }
}

/// The hosts of a hostlist, which must exist.
core::Result<std::vector<msg::HostId>> hosts_of(const View& view, const std::string& text) {
  const auto names = core::hostlist::expand(text, msg::reserved_hosts_max);
  if (!names) return std::unexpected(msg::invalid("hosts", names.error().detail));
  if (names->empty()) return std::unexpected(msg::invalid("hosts", "hosts must not be empty"));
  std::vector<msg::HostId> hosts;
  for (const auto& name : *names) {
    if (!view.host({name}))
      return core::refuse(ErrorCode::invalid_argument, "no such host: " + msg::shown(name),
                          "hosts");
    hosts.push_back({name});
  }
  return hosts;
}

/// No host may be in two reservations at a time.
core::Result<void> check_overlap(const View& view, const msg::Reservation& reservation,
                                 const std::vector<msg::HostId>& hosts) {
  for (const auto& host_id : hosts)
    for (const auto* other : view.reservations_of(host_id)) {
      const auto& its = other->reservation;
      if (its.reservation_id == reservation.reservation_id ||
          its.start_unix_s >= reservation.end_unix_s || its.end_unix_s <= reservation.start_unix_s)
        continue;
      return core::refuse(
          ErrorCode::wrong_state,
          "host " + host_id.value + " is in reservation " + its.name + " at that time", "hosts");
    }
  return {};
}

/// Nothing else may run there at its start, except that a maintenance window ends it.
core::Result<void> check_vacant(const View& view, const msg::Reservation& reservation,
                                const std::vector<msg::HostId>& hosts) {
  if (reservation.project_id.empty()) return {};
  for (const auto& host_id : hosts)
    for (const auto& node_id : view.nodes_on(host_id)) {
      const auto* stored = view.computeset(view.node(node_id)->computeset_id);
      if (!stored || !is_running(*stored) || stored->reservation_id == reservation.reservation_id ||
          end_unix_s(view, *stored) <= reservation.start_unix_s)
        continue;
      return core::refuse(ErrorCode::wrong_state,
                          "computeset " + std::to_string(stored->computeset.computeset_id) +
                              " may run on host " + host_id.value + " after its start",
                          "start_unix_s");
    }
  return {};
}

/// Of a change: what names the reservation must be able to run as before.
core::Result<void> check_users(const View& view, const msg::Reservation& before,
                               const msg::Reservation& reservation,
                               const std::vector<msg::HostId>& hosts) {
  const auto users = computesets_of(view, before.reservation_id);
  const auto refused = [](const StoredComputeset& stored, const char* what, const char* field) {
    return core::refuse(
        ErrorCode::wrong_state,
        "computeset " + std::to_string(stored.computeset.computeset_id) + " " + what, field);
  };
  for (const auto* stored : users) {
    if (before.project_id != reservation.project_id)
      return refused(*stored, "uses the reservation", "project_id");
    if (!is_running(*stored)) continue;
    if (reservation.end_unix_s < end_unix_s(view, *stored))
      return refused(*stored, "may run in it after that end", "end_unix_s");
    for (const auto& node_id : stored->computeset.nodes) {
      const auto* node = view.node(node_id);
      const bool is_there =
          !node || node->host_id.empty() || std::ranges::find(hosts, node->host_id) != hosts.end();
      if (!is_there)
        return refused(*stored, ("runs on host " + node->host_id.value).c_str(), "hosts");
    }
  }
  return {};
}

/// The reservation as the request leaves it; times are checked, hosts are not.
core::Result<msg::Reservation> merged(const msg::Reservation& before,
                                      const msg::DefineReservation& request,
                                      std::int64_t now_unix_s) {
  msg::Reservation reservation = before;
  reservation.name = request.name;
  if (request.project_id) reservation.project_id = *request.project_id;
  if (request.hosts) reservation.hosts = *request.hosts;
  if (request.reason) reservation.reason = *request.reason;
  if (request.end_unix_s) reservation.end_unix_s = *request.end_unix_s;
  const bool is_active = before.state == ReservationState::active;
  if (request.start_unix_s && is_active && *request.start_unix_s != before.start_unix_s)
    return core::refuse(ErrorCode::wrong_state, "it has begun: its start cannot be changed",
                        "start_unix_s");
  if (request.start_unix_s) reservation.start_unix_s = *request.start_unix_s;
  if (reservation.start_unix_s == 0) reservation.start_unix_s = now_unix_s;
  if (reservation.end_unix_s <= now_unix_s)
    return std::unexpected(msg::invalid("end_unix_s", "end_unix_s must be in the future"));
  if (reservation.end_unix_s <= reservation.start_unix_s)
    return std::unexpected(msg::invalid(request.end_unix_s ? "end_unix_s" : "start_unix_s",
                                        "end_unix_s must be later than start_unix_s"));
  return reservation;
}

}  // namespace

std::int64_t end_unix_s(const View& view, const StoredComputeset& stored) {
  auto end_unix_s = walltime_end_unix_s(stored.computeset);
  if (const auto* named = view.reservation(stored.reservation_id))
    end_unix_s = std::min(end_unix_s, named->reservation.end_unix_s);
  const auto* payer = view.allocation(stored.computeset.allocation_id);
  if (payer && payer->allocation.end_unix_s != 0)
    end_unix_s = std::min(end_unix_s, payer->allocation.end_unix_s);
  return end_unix_s;
}

Wait wait_for(const Draft& draft, WaitReason reason, std::int64_t reservation_id) {
  const auto& reservation = draft.reservation(reservation_id)->reservation;
  const bool is_own =
      reason == WaitReason::reservation_planned || reason == WaitReason::reservation_full;
  // Tenants see the windows, and the reservations of their own projects.
  const bool is_named = is_own || reservation.project_id.empty();
  return {.reason = reason, .subject = is_named ? reservation.name : ""};
}

core::Result<Plan> plan_reservation(const View& view, const msg::DefineReservation& request,
                                    std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  if (view.config().has_batch_system())
    return core::refuse(ErrorCode::wrong_state,
                        "the batch system keeps reservations: scontrol create reservation");
  Draft draft{view, now_unix_ms};
  const auto* named = view.reservation_named(request.name);
  const bool has_ended = named && named->reservation.state == ReservationState::ended;
  if (request.is_new && named && !has_ended)
    return core::refuse(ErrorCode::wrong_state,
                        "reservation " + request.name + " exists and has not ended", "name");
  if (!request.is_new && !named) return no_such_reservation(request.name);
  if (!request.is_new && has_ended)
    return core::refuse(ErrorCode::wrong_state, "reservation " + request.name + " has ended",
                        "name");
  auto before = request.is_new ? msg::Reservation{.reservation_id = view.reservation_count() + 1}
                               : named->reservation;
  auto reservation = merged(before, request, draft.now_unix_s());
  if (!reservation) return std::unexpected(reservation.error());
  const auto& project_id = reservation->project_id;
  if (!project_id.empty() && !view.project(project_id))
    return core::refuse(ErrorCode::not_found, "no such project: " + msg::shown(project_id.value),
                        "project_id");
  // A host that was removed since does not stand in the way of another change.
  const auto hosts = request.hosts
                         ? hosts_of(view, *request.hosts)
                         : core::Result<std::vector<msg::HostId>>{reserved_hosts(*reservation)};
  if (!hosts) return std::unexpected(hosts.error());
  for (auto checked :
       {check_overlap(view, *reservation, *hosts), check_vacant(view, *reservation, *hosts),
        check_users(view, before, *reservation, *hosts)})
    if (!checked) return std::unexpected(checked.error());

  const auto id = reservation->reservation_id;
  if (request.is_new) {
    reservation->state = next_state(reservation->state, ReservationEvent::accepted);
    draft.changes().reservation_count = id;
    if (has_ended) draft.changes().reservations[named->reservation.reservation_id].reset();
  }
  draft.changes().reservations[id] = StoredReservation{*reservation};
  if (reservation->state == ReservationState::active)
    vacate(draft, *reservation);
  else if (reservation->start_unix_s <= draft.now_unix_s())
    begin(draft, id);
  return finish(draft);
}

core::Result<Plan> plan_remove_reservation(const View& view, const msg::RemoveReservation& request,
                                           std::int64_t now_unix_ms) {
  const auto* named = view.reservation_named(request.name);
  if (!named) return no_such_reservation(request.name);
  const auto id = named->reservation.reservation_id;
  for (const auto* stored : computesets_of(view, id))
    if (is_running(*stored))
      return core::refuse(ErrorCode::wrong_state,
                          "computeset " + std::to_string(stored->computeset.computeset_id) +
                              " runs in it: end it first",
                          "name");
  Draft draft{view, now_unix_ms};
  end_all_of(draft, id, described(named->reservation) + " was removed");
  draft.changes().reservations[id].reset();
  return finish(draft);
}

void remove_reservations_of(Draft& draft, const msg::ProjectId& id) {
  for (const auto& [reservation_id, stored] : draft.view().reservations()) {
    if (stored.reservation.project_id != id) continue;
    end_all_of(draft, reservation_id, described(stored.reservation) + " was removed");
    draft.changes().reservations[reservation_id].reset();
  }
}

Plan plan_reservation_steps(const View& view, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& [at_unix_s, id] : view.reservation_steps()) {
    if (at_unix_s > draft.now_unix_s()) break;
    take_step(draft, id);
  }
  return finish(draft);
}

core::Result<const msg::Reservation*> pick_reservation(const View& view,
                                                       const msg::StartComputeset& request,
                                                       const msg::ProjectId& project_id,
                                                       const std::vector<const StoredNode*>& nodes,
                                                       std::int64_t now_unix_s) {
  const auto refused = [](const std::string& detail, const char* field = "reservation") {
    return core::refuse(ErrorCode::invalid_argument, detail, field);
  };
  const auto& name = request.reservation;
  const auto* named = view.reservation_named(name);
  const bool is_seen = named && (named->reservation.project_id.empty() ||
                                 msg::sees(request.viewer, named->reservation.project_id));
  if (!is_seen) return refused("no such reservation: " + msg::shown(name));
  const auto& reservation = named->reservation;
  if (reservation.project_id.empty()) return refused(name + " is a maintenance window");
  if (reservation.project_id != project_id)
    return refused("reservation " + name + " belongs to project " + reservation.project_id.value);
  if (reservation.state == ReservationState::ended || reservation.end_unix_s <= now_unix_s)
    return refused("reservation " + name + " has ended");

  const auto reserved = reserved_hosts(reservation);
  const auto is_reserved = [&](const msg::HostId& id) {
    return std::ranges::find(reserved, id) != reserved.end();
  };
  for (const auto& host_id : request.hosts)
    if (!is_reserved(host_id))
      return refused("host " + host_id.value + " is not in reservation " + name, "hosts");
  HostPool pool;
  for (const auto& host_id : reserved)
    if (const auto* host = view.host(host_id))
      pool.put(host_id, total_of(*host, view.config()), true, false, false, place_of(*host));
  const auto host_class = host_class_of(request);
  if (!pool.is_any_open({.host_class = host_class}))
    return refused("reservation " + name + " has no host of class " + host_class, "host_class");
  Needs needs{.count_min = request.node_count_min == 0 ? nodes.size() : request.node_count_min};
  for (const auto* node : nodes) {
    const auto disk = disk_place_of(*node);
    if (!disk.host_id.empty() && !is_reserved(disk.host_id))
      return refused("the disk of " + node->definition.name + " is on host " + disk.host_id.value +
                     ", which is not in reservation " + name);
    needs.all.push_back(
        {.size = size_of(*node), .host_class = host_class, .fabrics = fabrics_of(*node)});
  }
  if (can_never_fit(pool, smallest(needs)))
    return refused("the hosts of reservation " + name + " are too small for the nodes");
  return &reservation;
}

}  // namespace nucleus::scheduler

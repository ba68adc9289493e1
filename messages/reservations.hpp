// The scheduler's messages about reservations: hosts that are kept for a project, or for
// maintenance, from one time to another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/text.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(ReservationState, planned, active, ended)

/// Hosts from `start_unix_s` to `end_unix_s`: only computesets that name the reservation run there.
struct Reservation {
  std::int64_t reservation_id = 0;  // 1.., never reused
  std::string name = {};      // that of a reservation that has ended may be given to another one
  ProjectId project_id = {};  // whose computesets may name it; empty = a maintenance window
  std::string hosts = {};     // their names as a hostlist
  std::int64_t start_unix_s = 0;
  std::int64_t end_unix_s = 0;  // not included
  std::string reason = {};      // for people
  ReservationState state = ReservationState::unknown;
  NUCLEUS_FIELDS(reservation_id, name, project_id, hosts, start_unix_s, end_unix_s, reason, state);
};

constexpr std::size_t reserved_hosts_max = 4096;
constexpr std::size_t reserved_hosts_bytes_max = 65'536;

/// Creates a reservation, or changes what is given of one that has not ended. `wrong_state` if one
/// of its hosts is in another reservation at the time, if a computeset that does not name it would
/// still run there (a maintenance window ends it), or if a change would break one that runs in it.
struct DefineReservation {
  static constexpr std::string_view topic = "scheduler.define-reservation";
  using Reply = Reservation;
  std::string name = {};
  bool is_new = false;  // true: create it, `wrong_state` if the name is taken; false: change it
  std::optional<ProjectId> project_id = {};       // of a new one: not set = a maintenance window
  std::optional<std::string> hosts = {};          // a hostlist of 1..4096 hosts, 0..65536 bytes
  std::optional<std::int64_t> start_unix_s = {};  // of a new one: not set = now
  std::optional<std::int64_t> end_unix_s = {};    // later than now and than its start
  std::optional<std::string> reason = {};         // 0..256 bytes, one line
  NUCLEUS_FIELDS(name, is_new, project_id, hosts, start_unix_s, end_unix_s, reason);
};

inline std::optional<Error> check(const DefineReservation& request) {
  if (auto broken = check_name("name", request.name)) return broken;
  if (request.project_id && !request.project_id->empty())
    if (auto broken = check_name("project_id", request.project_id->value)) return broken;
  if (request.is_new && !request.hosts) return invalid("hosts", "hosts must be set");
  if (request.is_new && !request.end_unix_s) return invalid("end_unix_s", "end_unix_s must be set");
  if (request.hosts && request.hosts->size() > reserved_hosts_bytes_max)
    return invalid("hosts", "hosts must be at most 65536 bytes");
  const auto is_time = [](const std::optional<std::int64_t>& time) {
    return !time || (*time > 0 && *time <= unix_s_max);
  };
  if (!is_time(request.start_unix_s))
    return invalid("start_unix_s", "start_unix_s must be 1 to 253402300799");
  if (!is_time(request.end_unix_s))
    return invalid("end_unix_s", "end_unix_s must be 1 to 253402300799");
  return request.reason ? check_line("reason", *request.reason, 256) : std::nullopt;
}

/// Removes a reservation. Computesets that wait for it are cancelled; `wrong_state` while one runs
/// in it.
struct RemoveReservation {
  static constexpr std::string_view topic = "scheduler.remove-reservation";
  using Reply = Done;
  std::string name = {};
  NUCLEUS_FIELDS(name);
};

struct Reservations {
  std::vector<Reservation> reservations = {};  // by id
  std::string next = {};                       // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(reservations, next);
};

/// The maintenance windows, and the reservations of the projects that the viewer sees.
struct ListReservations {
  static constexpr std::string_view topic = "scheduler.list-reservations";
  using Reply = Reservations;
  Viewer viewer = {};
  std::string name = {};  // if set, only this one, or `not_found`
  Page page = {};
  NUCLEUS_FIELDS(viewer, name, page);
};

/// Event: a reservation was created or changed, began or ended; the whole new one.
struct ReservationChanged {
  static constexpr std::string_view topic = "scheduler.reservation-changed";
  ProjectId project_id = {};  // whose it is; `public` = of a maintenance window: visible to all
  Reservation reservation = {};
  NUCLEUS_FIELDS(project_id, reservation);
};

/// Event: a reservation was removed, or is another project's from now on.
struct ReservationRemoved {
  static constexpr std::string_view topic = "scheduler.reservation-removed";
  ProjectId project_id = {};  // whose it was; `public` = of a maintenance window: visible to all
  Reservation reservation = {};
  NUCLEUS_FIELDS(project_id, reservation);
};

}  // namespace nucleus::msg

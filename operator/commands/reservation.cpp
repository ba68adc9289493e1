// nucleus reservation: create, update, remove, list.
#include <fmt/format.h>

#include <iostream>
#include <optional>

#include "messages/reservations.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"
#include "operator/tables.hpp"

namespace nucleus::operator_ {

namespace {

struct ReservationArguments {
  std::string state = {};
  std::string name = {};
  std::string project = {};
  std::string hosts = {};
  std::optional<std::int64_t> start_unix_s = {};
  std::optional<std::int64_t> end_unix_s = {};
  std::optional<std::string> reason = {};
  bool is_new = false;
};

core::Result<int> define(const ReservationArguments& arguments) {
  msg::DefineReservation request{.name = arguments.name,
                                 .is_new = arguments.is_new,
                                 .start_unix_s = arguments.start_unix_s,
                                 .end_unix_s = arguments.end_unix_s,
                                 .reason = arguments.reason};
  if (!arguments.project.empty()) request.project_id = msg::ProjectId{arguments.project};
  if (!arguments.hosts.empty()) request.hosts = arguments.hosts;
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  if (request == msg::DefineReservation{.name = arguments.name}) {
    const auto known = (*opened)->call(
        msg::ListReservations{.viewer = {.is_operator = true}, .name = arguments.name});
    if (!known) return std::unexpected(known.error());
    return core::refuse(core::ErrorCode::invalid_argument,
                        "nothing to change: see nucleus reservation update --help");
  }
  const auto defined = (*opened)->call(request);
  if (!defined) return std::unexpected(defined.error());
  std::cout << reservation_heading() << reservation_row(*defined);
  return 0;
}

core::Result<int> remove(const ReservationArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto removed = (*opened)->call(msg::RemoveReservation{.name = arguments.name});
  if (!removed) return std::unexpected(removed.error());
  std::cout << "reservation " << arguments.name << " is removed\n";
  return 0;
}

core::Result<int> list_reservations(const ReservationArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  const auto listed =
      call_all_pages(**opened, msg::ListReservations{.viewer = {.is_operator = true}},
                     &msg::Reservations::reservations);
  if (!listed) return std::unexpected(listed.error());
  std::cout << reservation_heading();
  for (const auto& reservation : *listed) std::cout << reservation_row(reservation);
  return 0;
}

void describe_name(CommandOptions& options, ReservationArguments& arguments) {
  options.state(arguments.state);
  options.add("NAME", arguments.name, "name of the reservation").name().required();
}

void describe(CommandOptions& options, ReservationArguments& arguments, bool is_new) {
  arguments.is_new = is_new;
  describe_name(options, arguments);
  auto hosts = options.add("--hosts", arguments.hosts, "its hosts, for example h[01-16]");
  options.add("--project", arguments.project,
              "whose computesets may use it; without one it is a maintenance window");
  options.add("--start", arguments.start_unix_s,
              is_new ? "seconds since 1970, as date +%s prints them; default: now"
                     : "seconds since 1970, as date +%s prints them");
  auto end = options.add("--end", arguments.end_unix_s, "seconds since 1970");
  options.add_free_text("--reason", arguments.reason, "one line, shown in lists of reservations");
  if (!is_new) return;
  hosts.required();
  end.required();
}

}  // namespace

void add_reservation(Commands& commands) {
  auto group = commands.group("reservation", "hosts kept for a project, or for maintenance");
  group.add<ReservationArguments>("create", "keep hosts from one time to another", define,
                                  [](CommandOptions& options, ReservationArguments& arguments) {
                                    describe(options, arguments, true);
                                  });
  group.add<ReservationArguments>("update", "change what is given of a reservation", define,
                                  [](CommandOptions& options, ReservationArguments& arguments) {
                                    describe(options, arguments, false);
                                  });
  group.add<ReservationArguments>("remove", "remove a reservation; what waits for it is cancelled",
                                  remove, describe_name);
  group.add<ReservationArguments>("list", "list all reservations", list_reservations,
                                  [](CommandOptions& options, ReservationArguments& arguments) {
                                    options.state(arguments.state);
                                  });
}

}  // namespace nucleus::operator_

// reservation list, classes: what the operator makes and changes.
#include "client/commands/commands.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

core::Result<int> list_reservations(const Api& api, const Words& words) {
  const auto reservations = api.get_all("/v2/reservations", "reservations");
  if (!reservations) return std::unexpected(reservations.error());
  return print(reservation_view(*reservations), words["--format"], *reservations);
}

core::Result<int> list_host_classes(const Api& api, const Words& words) {
  const auto classes = api.get_all("/v2/host-classes", "classes");
  if (!classes) return std::unexpected(classes.error());
  return print(host_class_view(*classes), words["--format"], *classes);
}

core::Result<int> refuse_reservation(Session&, const Words& words) {
  return core::refuse(core::ErrorCode::wrong_state, std::string("reservation ") +
                                                        words.command().name +
                                                        " is not supported: contact the helpdesk");
}

}  // namespace nucleus::client

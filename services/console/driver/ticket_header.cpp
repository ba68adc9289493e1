// Reading a ticket out of the subprotocols that a viewer offers.
#include "services/console/driver/console_server.hpp"

namespace nucleus::console {

std::string ticket_in(std::string_view protocols) {
  constexpr std::string_view prefix = "nucleus.ticket.";
  std::string_view ticket;
  bool is_ours = false;
  while (!protocols.empty()) {
    const auto comma = protocols.find(',');
    auto one = protocols.substr(0, comma);
    while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
    while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
    if (one == subprotocol) is_ours = true;
    if (one.starts_with(prefix) && ticket.empty()) ticket = one.substr(prefix.size());
    protocols = comma == std::string_view::npos ? "" : protocols.substr(comma + 1);
  }
  return is_ours ? std::string(ticket) : std::string();
}

}  // namespace nucleus::console

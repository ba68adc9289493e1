// Reading a ticket out of the subprotocols that a viewer offers.
#include "services/console/driver/console_server.hpp"

namespace nucleus::console {

std::string ticket_in(std::string_view protocols) {
  constexpr std::string_view prefix = "nucleus.ticket.";
  while (!protocols.empty()) {
    const auto comma = protocols.find(',');
    auto one = protocols.substr(0, comma);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.starts_with(prefix)) return std::string(one.substr(prefix.size()));
    protocols = comma == std::string_view::npos ? "" : protocols.substr(comma + 1);
  }
  return {};
}

}  // namespace nucleus::console

// The console service's settings, read once at the start.
#include "services/console/config.hpp"

namespace nucleus::console {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  config.server.listen = settings.text("console.listen", config.server.listen);
  config.server.connections_max = static_cast<std::size_t>(
      settings.number("console.connections_max",
                      static_cast<std::int64_t>(config.server.connections_max), 1, 100'000));
  config.public_url = settings.text("console.public_url", "");
  config.ticket_s = settings.number("console.ticket_s", config.ticket_s, 1, 3600);
  config.tickets_max = static_cast<std::size_t>(settings.number(
      "console.tickets_max", static_cast<std::int64_t>(config.tickets_max), 1, 1'000'000));
  return config;
}

}  // namespace nucleus::console

// The console service's settings, read once at the start.
#include "services/console/config.hpp"

namespace nucleus::console {

namespace {

std::size_t count(core::Settings& settings, const std::string& key, std::size_t otherwise,
                  std::int64_t most) {
  return static_cast<std::size_t>(
      settings.number(key, static_cast<std::int64_t>(otherwise), 1, most));
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  auto& server = config.server;
  server.listen = settings.text("console.listen", server.listen);
  if (!is_listen_address(server.listen))
    return std::unexpected(msg::invalid(
        "console.listen", "console.listen must be ADDRESS:PORT, the address as digits"));
  server.connections_max =
      count(settings, "console.connections_max", server.connections_max, 100'000);
  server.idle_s = settings.number("console.idle_s", server.idle_s, 1, 3600);
  server.stall_s = settings.number("console.stall_s", server.stall_s, 1, 3600);
  auto certificate =
      core::Certificate::open_if_said({.certificate = settings.text("console.tls_certificate", ""),
                                       .key = settings.text("console.tls_key", "")},
                                      "console.tls_key");
  if (!certificate) return std::unexpected(certificate.error());
  server.certificate = std::move(*certificate);
  config.public_url = settings.text("console.public_url", "");
  if (!config.public_url.empty() && !config.public_url.starts_with("ws://") &&
      !config.public_url.starts_with("wss://"))
    return std::unexpected(
        msg::invalid("console.public_url", "console.public_url must begin with ws:// or wss://"));
  config.tickets.life_s = settings.number("console.ticket_s", config.tickets.life_s, 1, 3600);
  config.tickets.waiting_max =
      count(settings, "console.tickets_max", config.tickets.waiting_max, 1'000'000);
  return config;
}

}  // namespace nucleus::console

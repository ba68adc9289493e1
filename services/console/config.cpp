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
  auto& http = config.proxy.http;
  http.listen = settings.endpoint("console.listen", http.listen);
  http.connections_max = count(settings, "console.connections_max", http.connections_max, 100'000);
  http.connections_per_address_max = count(settings, "console.connections_per_address_max",
                                           http.connections_per_address_max, 100'000);
  http.idle_s = static_cast<int>(settings.number("console.idle_s", http.idle_s, 1, 3600));
  config.proxy.stall_s =
      static_cast<int>(settings.number("console.stall_s", config.proxy.stall_s, 1, 3600));
  auto certificate =
      core::Certificate::open_if_set({.certificate = settings.text("console.tls_certificate", ""),
                                      .key = settings.text("console.tls_key", "")},
                                     "console.tls_key");
  if (!certificate) return std::unexpected(certificate.error());
  http.certificate = std::move(*certificate);
  config.public_url = settings.text("console.public_url", "");
  if (!config.public_url.empty() && !config.public_url.starts_with("ws://") &&
      !config.public_url.starts_with("wss://"))
    return std::unexpected(
        msg::invalid("console.public_url", "console.public_url must start with ws:// or wss://"));
  config.tickets.life_s = settings.number("console.ticket_s", config.tickets.life_s, 1, 3600);
  config.tickets.unused_max =
      count(settings, "console.tickets_max", config.tickets.unused_max, 1'000'000);
  return config;
}

}  // namespace nucleus::console

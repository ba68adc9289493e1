#include "services/console/config.hpp"

namespace nucleus::console {

namespace {

std::size_t count(core::Settings& settings, const std::string& key, std::size_t otherwise,
                  std::int64_t most) {
  return static_cast<std::size_t>(
      settings.number(key, static_cast<std::int64_t>(otherwise), 1, most));
}

core::Result<void> read_certificate(core::Settings& settings, const std::string& certificate_key,
                                    const std::string& key_key, core::http::ListenOptions& listen) {
  auto certificate = core::Certificate::open_if_set(
      {.certificate = settings.text(certificate_key, ""), .key = settings.text(key_key, "")},
      key_key);
  if (!certificate) return std::unexpected(certificate.error());
  listen.certificate = std::move(*certificate);
  return {};
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  auto& http = config.proxy.http;
  auto& for_hosts = config.proxy.for_hosts();
  http.listen.endpoint = settings.endpoint("console.listen", http.listen.endpoint);
  for_hosts.endpoint = settings.endpoint("console.hosts_listen", for_hosts.endpoint);
  http.connections_max = count(settings, "console.connections_max", http.connections_max, 100'000);
  http.connections_per_address_max = count(settings, "console.connections_per_address_max",
                                           http.connections_per_address_max, 100'000);
  http.idle_s = static_cast<int>(settings.number("console.idle_s", http.idle_s, 1, 3600));
  config.proxy.host_connect_s = static_cast<int>(
      settings.number("console.host_connect_s", config.proxy.host_connect_s, 1, 3600));
  config.proxy.host_reconnect_s = static_cast<int>(
      settings.number("console.host_reconnect_s", config.proxy.host_reconnect_s, 1, 3600));
  config.proxy.stall_s =
      static_cast<int>(settings.number("console.stall_s", config.proxy.stall_s, 1, 3600));
  if (auto read =
          read_certificate(settings, "console.tls_certificate", "console.tls_key", http.listen);
      !read)
    return std::unexpected(read.error());
  if (auto read = read_certificate(settings, "console.hosts_tls_certificate",
                                   "console.hosts_tls_key", for_hosts);
      !read)
    return std::unexpected(read.error());
  config.public_url = settings.text("console.public_url", "");
  if (!config.public_url.empty() && !config.public_url.starts_with("ws://") &&
      !config.public_url.starts_with("wss://"))
    return std::unexpected(
        msg::invalid("console.public_url", "console.public_url must start with ws:// or wss://"));
  config.tickets.life_s = settings.number("console.ticket_s", config.tickets.life_s, 1, 3600);
  config.tickets.unused_max =
      count(settings, "console.tickets_max", config.tickets.unused_max, 1'000'000);
  config.recordings.folder = settings.text("console.recordings_folder", "");
  config.recordings.days =
      settings.number("console.recording_days", config.recordings.days, 1, 36'500);
  return config;
}

}  // namespace nucleus::console

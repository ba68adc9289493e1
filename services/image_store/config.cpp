#include "services/image_store/config.hpp"

namespace nucleus::image_store {

namespace {

/// Hosts connect from few addresses: of a rack, or behind a router. One address leaves some for
/// others.
constexpr std::size_t connections_max = 4'000;
constexpr std::size_t connections_per_address_max = 3'000;

core::Result<std::optional<core::http::ServerOptions>> hosts_server(core::Settings& settings) {
  const auto listen = settings.optional_endpoint("image_store.hosts_listen");
  auto certificate = core::Certificate::open_if_set(
      {.certificate = settings.text("image_store.tls_certificate", ""),
       .key = settings.text("image_store.tls_key", "")},
      "image_store.tls_key");
  if (!certificate) return std::unexpected(certificate.error());
  if (!listen) return std::nullopt;
  return core::http::ServerOptions{
      .listen = {.endpoint = *listen, .certificate = std::move(*certificate)},
      .connections_max = connections_max,
      .connections_per_address_max = connections_per_address_max,
      .head_bytes_max = 8192,
      .body_bytes_max = 0};
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  config.driver = msg::enum_of<DriverName>(settings.text("image_store.driver", "qcow2"));
  if (config.driver == DriverName::unknown)
    return std::unexpected(
        msg::invalid("image_store.driver", "image_store.driver must be qcow2 or simulated"));
  const auto folder = [&](const char* key, const char* name) {
    return settings.text(key, std::string("/var/lib/nucleus/") + name);
  };
  config.images_directory = folder("image_store.images_directory", "images");
  config.uploads_directory = folder("image_store.uploads_directory", "uploads");
  config.volumes_directory = folder("image_store.volumes_directory", "volumes");
  const auto bytes = [&](const char* key, std::uint64_t& value) {
    value = static_cast<std::uint64_t>(
        settings.number(key, static_cast<std::int64_t>(value), 1 << 20, 1LL << 50));
  };
  bytes("image_store.upload_bytes_max", config.upload_bytes_max);
  bytes("image_store.virtual_bytes_max", config.virtual_bytes_max);
  config.work_deadline_ms =
      settings.number("image_store.work_deadline_ms", config.work_deadline_ms, 1'000, 86'400'000);
  config.retry_ms = settings.number("image_store.retry_ms", config.retry_ms, 100, 3'600'000);
  auto hosts = hosts_server(settings);
  if (!hosts) return std::unexpected(hosts.error());
  config.hosts = std::move(*hosts);
  return config;
}

}  // namespace nucleus::image_store

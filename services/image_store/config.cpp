#include "services/image_store/config.hpp"

#include <sstream>

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
      .body_bytes_max = 8192};  // of a host that joins a fan-out
}

/// Clients upload over one connection each, but may share an address.
constexpr std::size_t upload_connections_max = 1'000;
constexpr std::size_t upload_connections_per_address_max = 200;
constexpr int upload_idle_s = 30;  // a client that lost its connection waits that long at most

core::Result<std::optional<core::http::ServerOptions>> uploads_server(core::Settings& settings) {
  const auto listen = settings.optional_endpoint("image_store.uploads_listen");
  auto certificate = core::Certificate::open_if_set(
      {.certificate = settings.text("image_store.uploads_tls_certificate", ""),
       .key = settings.text("image_store.uploads_tls_key", "")},
      "image_store.uploads_tls_key");
  if (!certificate) return std::unexpected(certificate.error());
  if (!listen) return std::nullopt;
  return core::http::ServerOptions{
      .listen = {.endpoint = *listen, .certificate = std::move(*certificate)},
      .connections_max = upload_connections_max,
      .connections_per_address_max = upload_connections_per_address_max,
      .head_bytes_max = 8192,
      .body_bytes_max = 0,
      .idle_s = upload_idle_s};
}

core::Result<void> read_fetches(core::Settings& settings, Config& config) {
  config.fetches_max = static_cast<std::uint64_t>(settings.number(
      "image_store.fetches_max", static_cast<std::int64_t>(config.fetches_max), 0, 64));
  config.fetch_retry_ms =
      settings.number("image_store.fetch_retry_ms", config.fetch_retry_ms, 10, 3'600'000);
  auto allowed = AllowedAddresses::from(settings.text("image_store.fetch_networks", ""));
  if (!allowed)
    return std::unexpected(msg::invalid("image_store.fetch_networks",
                                        "image_store.fetch_networks: " + allowed.error().detail));
  config.fetch_addresses = std::move(*allowed);
  config.fetch_ca_file = settings.text("image_store.fetch_ca_file", "");
  return {};
}

/// The origins in `text`, separated by commas, as browsers send them.
core::Result<std::vector<std::string>> origins_of(const std::string& text) {
  std::vector<std::string> origins;
  std::istringstream all(text);
  for (std::string origin; std::getline(all, origin, ',');) {
    const auto mark = origin.find("://");
    if ((!origin.starts_with("http://") && !origin.starts_with("https://")) ||
        origin.find_first_of("/ *", mark + 3) != origin.npos || origin.size() == mark + 3)
      return std::unexpected(
          msg::invalid("image_store.uploads_allow_origins",
                       "image_store.uploads_allow_origins must be http://HOST:PORT,…"));
    origins.push_back(std::move(origin));
  }
  return origins;
}

core::Result<void> read_uploads(core::Settings& settings, Config& config) {
  auto server = uploads_server(settings);
  if (!server) return std::unexpected(server.error());
  config.uploads = std::move(*server);
  config.uploads_url = settings.text("image_store.uploads_url", "");
  const auto& url = config.uploads_url;
  if (!url.empty() &&
      ((!url.starts_with("http://") && !url.starts_with("https://")) || url.ends_with('/')))
    return std::unexpected(msg::invalid(
        "image_store.uploads_url",
        "image_store.uploads_url must start with http:// or https:// and not end with /"));
  auto origins = origins_of(settings.text("image_store.uploads_allow_origins", ""));
  if (!origins) return std::unexpected(origins.error());
  config.uploads_allow_origins = std::move(*origins);
  config.upload_keep_s =
      settings.number("image_store.upload_keep_s", config.upload_keep_s, 1, 31'536'000);
  config.uploads_max = static_cast<std::uint64_t>(settings.number(
      "image_store.uploads_max", static_cast<std::int64_t>(config.uploads_max), 1, 10'000));
  return {};
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
  bytes("image_store.project_bytes_max", config.project_bytes_max);
  config.work_deadline_ms =
      settings.number("image_store.work_deadline_ms", config.work_deadline_ms, 1'000, 86'400'000);
  config.retry_ms = settings.number("image_store.retry_ms", config.retry_ms, 100, 3'600'000);
  if (auto read = read_uploads(settings, config); !read) return std::unexpected(read.error());
  if (auto read = read_fetches(settings, config); !read) return std::unexpected(read.error());
  auto hosts = hosts_server(settings);
  if (!hosts) return std::unexpected(hosts.error());
  config.hosts = std::move(*hosts);
  return config;
}

}  // namespace nucleus::image_store

// The gateway's settings, read once at the start.
#include "gateway/config.hpp"

namespace nucleus::gateway {

namespace {

core::Result<FacilityFacts> facility_from(core::Settings& settings) {
  FacilityFacts facts;
  facts.name = settings.text("gateway.facility_name", facts.name);
  facts.short_name = settings.text("gateway.facility_short_name", facts.short_name);
  facts.description = settings.text("gateway.facility_description", facts.description);
  facts.organization = settings.text("gateway.facility_organization", "");
  facts.support_uri = settings.text("gateway.facility_support_uri", "");
  facts.country = settings.text("gateway.facility_country", "");
  facts.state_or_province = settings.text("gateway.facility_state_or_province", "");
  facts.locality = settings.text("gateway.facility_locality", "");
  facts.street_address = settings.text("gateway.facility_street_address", "");
  facts.unlocode = settings.text("gateway.facility_unlocode", "");
  facts.node_cores = settings.number("gateway.facility_node_cores", facts.node_cores, 1, 4096);
  const std::string& support = facts.support_uri;
  if (!support.empty() && !support.starts_with("https://") && !support.starts_with("http://") &&
      !support.starts_with("mailto:"))
    return std::unexpected(
        msg::invalid("gateway.facility_support_uri",
                     "gateway.facility_support_uri must start with https://, http:// or mailto:"));
  return facts;
}

}  // namespace

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  auto& http = config.http;
  http.listen.endpoint = settings.endpoint("gateway.listen", http.listen.endpoint);
  const auto count = [&](const char* key, std::size_t otherwise, std::int64_t least,
                         std::int64_t most) {
    return static_cast<std::size_t>(
        settings.number(key, static_cast<std::int64_t>(otherwise), least, most));
  };
  http.connections_max = count("gateway.connections_max", http.connections_max, 1, 1'000'000);
  http.connections_per_address_max =
      count("gateway.connections_per_address_max", http.connections_per_address_max, 1, 1'000'000);
  http.body_bytes_max =
      count("gateway.body_bytes_max", http.body_bytes_max, 1024, msg::body_bytes_max);
  http.stream_bytes_max =
      count("gateway.stream_bytes_max", http.stream_bytes_max, 64 << 10, 1LL << 30);
  http.idle_s = static_cast<int>(settings.number("gateway.idle_s", http.idle_s, 1, 3600));
  auto certificate =
      core::Certificate::open_if_set({.certificate = settings.text("gateway.tls_certificate", ""),
                                      .key = settings.text("gateway.tls_key", "")},
                                     "gateway.tls_key");
  if (!certificate) return std::unexpected(certificate.error());
  http.listen.certificate = std::move(*certificate);
  config.public_url = settings.text("gateway.public_url", "");
  config.spool_directory = settings.text("gateway.spool_directory", "");
  config.portal_directory = settings.text("gateway.portal_directory", "");
  config.console_url = settings.text("gateway.console_url", "");
  config.uploads_url = settings.text("gateway.uploads_url", "");
  config.targets_file = settings.text("gateway.targets_file", "");
  config.session_s = settings.number("gateway.session_s", config.session_s, 60, 2'592'000);
  config.upload_bytes_max =
      count("gateway.upload_bytes_max", config.upload_bytes_max, 1 << 20, 1LL << 50);
  config.call_deadline = core::Milliseconds{
      settings.number("gateway.call_deadline_ms", config.call_deadline.count(), 100, 600'000)};
  config.events_retained = count("gateway.events_retained", config.events_retained, 1, 10'000'000);
  auto& streams = config.streams;
  streams.all = count("gateway.streams_max", streams.all, 1, 1'000'000);
  streams.per_person = count("gateway.streams_per_person_max", streams.per_person, 1, 1'000'000);
  streams.reserved = count("gateway.streams_reserved", streams.reserved, 0, 1'000'000);
  config.cache_bytes_max = count("gateway.cache_bytes_max", config.cache_bytes_max, 0, 1LL << 40);
  auto facility = facility_from(settings);
  if (!facility) return std::unexpected(facility.error());
  config.facility = std::move(*facility);
  return config;
}

}  // namespace nucleus::gateway

#include "operator/join_file.hpp"

#include "core/bus/curve.hpp"
#include "operator/keys.hpp"
#include "operator/rights.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

core::Result<TextMap> head_entries(const StateDirectory& state, const Deployment& deployment) {
  const auto ca = read_file(authority_files(state).certificate);
  if (!ca)
    return core::refuse(core::ErrorCode::wrong_state,
                        "the deployment has no CA yet: run nucleus up once");
  return TextMap{{"ca", *ca},
                 {"console_address", head_endpoint(deployment, "console_hosts")},
                 {"image_store_url", "https://" + head_endpoint(deployment, "image_store")},
                 {"bus.requests_url", bus_url(deployment, "requests")},
                 {"bus.events_url", bus_url(deployment, "events")},
                 {"bus.server_key", deployment.curve.server_public}};
}

core::Result<TextMap> add_host_key(const StateDirectory& state, const Deployment& deployment,
                                   const std::string& host_id, std::int64_t earlier_end_unix_s) {
  if (auto broken = msg::check_name("host", host_id)) return std::unexpected(*broken);
  auto file = head_entries(state, deployment);
  if (!file) return file;
  const auto pair = core::new_curve_pair();
  const auto folder = state.file("rights");
  const auto rights = host_rights(host_id);
  const auto granted = earlier_end_unix_s == 0
                           ? grant_key(folder, pair.public_key, rights)
                           : renew_key(folder, pair.public_key, rights, earlier_end_unix_s);
  if (!granted) return std::unexpected(granted.error());
  file->insert({{"host_id", host_id},
                {"bus.public_key", pair.public_key},
                {"bus.secret_key", pair.secret_key}});
  return file;
}

bool has_host_key(const StateDirectory& state, const std::string& host_id) {
  return !find_keys(state.file("rights"), host_rights(host_id).name).empty();
}

bool revoke_host_key(const StateDirectory& state, const std::string& host_id) {
  return revoke_keys(state.file("rights"), host_rights(host_id).name);
}

void apply_join_file(const TextMap& file, const StateDirectory& state, HostDeployment& host) {
  host.bus = bus_settings(file);
  host.console_address = text_of(file, "console_address");
  host.image_store_url = text_of(file, "image_store_url");
  host.ca_file = state.file("ca.pem");
}

core::Result<void> write_ca(const TextMap& file, const HostDeployment& host) {
  return write_file(host.ca_file, text_of(file, "ca"));
}

TextMap bus_settings(const TextMap& file) {
  TextMap bus;
  for (const auto& [key, value] : file)
    if (key.starts_with("bus.")) bus[key] = value;
  return bus;
}

}  // namespace nucleus::operator_

#include "operator/join_file.hpp"

#include "core/bus/curve.hpp"
#include "operator/keys.hpp"
#include "operator/rights.hpp"

namespace nucleus::operator_ {

core::Result<TextMap> add_host_key(const StateDirectory& state, const Deployment& deployment,
                                   const std::string& host_id, std::int64_t earlier_end_unix_s) {
  if (auto broken = msg::check_name("host", host_id)) return std::unexpected(*broken);
  const auto pair = core::new_curve_pair();
  const auto folder = state.file("rights");
  const auto rights = host_rights(host_id);
  const auto granted = earlier_end_unix_s == 0
                           ? grant_key(folder, pair.public_key, rights)
                           : renew_key(folder, pair.public_key, rights, earlier_end_unix_s);
  if (!granted) return std::unexpected(granted.error());
  return TextMap{{"host_id", host_id},
                 {"bus.requests_url", bus_url(deployment, "requests")},
                 {"bus.events_url", bus_url(deployment, "events")},
                 {"bus.server_key", deployment.curve.server_public},
                 {"bus.public_key", pair.public_key},
                 {"bus.secret_key", pair.secret_key}};
}

bool has_host_key(const StateDirectory& state, const std::string& host_id) {
  return !find_keys(state.file("rights"), host_rights(host_id).name).empty();
}

bool revoke_host_key(const StateDirectory& state, const std::string& host_id) {
  return revoke_keys(state.file("rights"), host_rights(host_id).name);
}

TextMap bus_settings(const TextMap& file) {
  TextMap bus;
  for (const auto& [key, value] : file)
    if (key.starts_with("bus.")) bus[key] = value;
  return bus;
}

}  // namespace nucleus::operator_

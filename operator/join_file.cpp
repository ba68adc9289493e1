#include "operator/join_file.hpp"

#include <filesystem>

#include "core/bus/curve.hpp"
#include "core/config/endpoint.hpp"
#include "operator/caller.hpp"
#include "operator/rights.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

bool is_head_place(const std::string& text) {
  const auto colon = text.rfind(':');
  return colon != std::string::npos && msg::is_name(text.substr(0, colon)) &&
         core::parse_endpoint("127.0.0.1" + text.substr(colon));
}

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

core::Result<TextMap> find_head_entries(const StateDirectory& state) {
  if (!state.is_remote()) {
    const auto deployment = open_deployment(state);
    if (!deployment) return std::unexpected(deployment.error());
    return head_entries(state, *deployment);
  }
  std::error_code error;
  const auto path = state.file(std::string(head_file_name));
  for (const auto& needed : {path, state.file("rights")})
    if (!std::filesystem::exists(needed, error))
      return core::refuse(core::ErrorCode::not_found,
                          needed + " does not exist: run this command on the head", "state");
  auto head = read_text_map(path);
  const auto link = remote_link_options(state);
  if (!head || !link) return head ? std::unexpected(link.error()) : head;
  head->insert({{"bus.requests_url", link->requests_url},
                {"bus.events_url", link->events_url},
                {"bus.server_key", link->keys.server_public}});
  return head;
}

core::Result<void> set_head_address(const StateDirectory& state, TextMap& head,
                                    const std::string& address) {
  if (!is_ipv4_address(address))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--head-address must be an IPv4 address, without a port", "head-address");
  if (const auto certificate = core::Certificate::open(head_files(state));
      certificate && !(*certificate)->facts(address).is_for_host)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--head-address: the head's certificate is not for " + address,
                        "head-address");
  for (const char* key :
       {"console_address", "image_store_url", "bus.requests_url", "bus.events_url"}) {
    auto& place = head[key];
    const auto scheme = place.find("//");
    place = place.substr(0, scheme == std::string::npos ? 0 : scheme + 2) + address +
            place.substr(place.rfind(':'));
  }
  return {};
}

core::Result<TextMap> add_host_key(const StateDirectory& state, const KeyFiles& known, TextMap head,
                                   const std::string& host_id, std::int64_t earlier_end_unix_s) {
  if (auto broken = msg::check_name("host", host_id)) return std::unexpected(*broken);
  const auto pair = core::new_curve_pair();
  const auto folder = state.file("rights");
  const auto rights = host_rights(host_id);
  const auto granted = earlier_end_unix_s == 0
                           ? grant_key(folder, known, pair.public_key, rights)
                           : renew_key(folder, known, pair.public_key, rights, earlier_end_unix_s);
  if (!granted) return std::unexpected(granted.error());
  head.insert({{"host_id", host_id},
               {"bus.public_key", pair.public_key},
               {"bus.secret_key", pair.secret_key}});
  return head;
}

KeyFiles find_known_keys(const StateDirectory& state) {
  return find_keys(state.file("rights"));
}

bool has_host_key(const KeyFiles& known, const std::string& host_id) {
  return known.contains(host_rights(host_id).name);
}

bool revoke_host_key(const KeyFiles& known, const std::string& host_id) {
  return revoke_keys(known, host_rights(host_id).name);
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

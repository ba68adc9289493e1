// The file with which a host joins a deployment: the head's addresses, the bus's public key and the
// CA of the head's certificate, and the host's own key pair. The head keeps only what the key
// allows.
#pragma once

#include <cstdint>
#include <string>

#include "operator/deployment.hpp"
#include "operator/keys.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

/// In the operator's folder of a head in containers: what `nucleus keys` knows of head_entries().
inline constexpr std::string_view head_file_name = "head.yaml";

/// NAME:PORT or ADDRESS:PORT, with an IPv4 address.
bool is_head_place(const std::string& text);

/// What a join file says of the head: `ca` (PEM), `console_address`, `image_store_url` and `bus.*`
/// settings.
core::Result<TextMap> head_entries(const StateDirectory& state, const Deployment& deployment);
/// The same of the deployment in `state`, or of the head in containers whose operator's folder it
/// is, if the folder has the bus's `rights`. Otherwise `not_found`.
core::Result<TextMap> find_head_entries(const StateDirectory& state);
/// Replaces the address in all of these; the ports stay. Refuses what is not an
/// IPv4 address, or not one of the deployment's certificate.
core::Result<void> set_head_address(const StateDirectory& state, TextMap& head,
                                    const std::string& address);

/// Creates the key of host `host_id` and allows it what a provisioner needs. Returns the join
/// file's content: `host_id`, the key pair, and the entries of `head`. Earlier keys of that host
/// are revoked: at once, or when the host connects with this one, and at `earlier_end_unix_s` at
/// the latest.
core::Result<TextMap> add_host_key(const StateDirectory& state, const KeyFiles& known, TextMap head,
                                   const std::string& host_id, std::int64_t earlier_end_unix_s = 0);

/// The keys of all processes and hosts.
KeyFiles find_known_keys(const StateDirectory& state);
bool has_host_key(const KeyFiles& known, const std::string& host_id);

/// Revokes the key of a host; false if it has none.
bool revoke_host_key(const KeyFiles& known, const std::string& host_id);

/// Sets what a join file says of the head.
void apply_join_file(const TextMap& file, const StateDirectory& state, HostDeployment& host);
/// Writes the CA of a join file where the host expects it.
core::Result<void> write_ca(const TextMap& file, const HostDeployment& host);

/// The `bus.*` settings of a join file, or of DIR/host.yaml.
TextMap bus_settings(const TextMap& file);

}  // namespace nucleus::operator_

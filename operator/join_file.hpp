// The file with which a host joins a deployment: the head's addresses, the bus's public key and the
// CA of the head's certificate, and the host's own key pair. The head keeps only what the key
// allows.
#pragma once

#include <string>

#include "operator/deployment.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

/// What a join file says of the head: `ca` (PEM), `console_address`, `image_store_url` and `bus.*`
/// settings.
core::Result<TextMap> head_entries(const StateDirectory& state, const Deployment& deployment);

/// Creates the key of host `host_id` and allows it what a provisioner needs. Returns the join
/// file's content: `host_id`, the key pair, and what head_entries() has. An earlier key of that
/// host is revoked.
core::Result<TextMap> add_host_key(const StateDirectory& state, const Deployment& deployment,
                                   const std::string& host_id);

bool has_host_key(const StateDirectory& state, const std::string& host_id);

/// Revokes the key of a host; false if it has none.
bool revoke_host_key(const StateDirectory& state, const std::string& host_id);

/// Sets what a join file says of the head, and writes the CA to DIR/ca.pem of the host.
core::Result<void> apply_join_file(const TextMap& file, const StateDirectory& state,
                                   HostDeployment& host);

/// The `bus.*` settings of a join file, or of DIR/host.yaml.
TextMap bus_settings(const TextMap& file);

}  // namespace nucleus::operator_

// The file with which a host joins a deployment: the bus's addresses and public key, and the host's
// own key pair. The head keeps only what the key allows.
#pragma once

#include <string>

#include "operator/deployment.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

/// Creates the key of host `host_id` and allows it what a provisioner needs. Returns the join
/// file's content: `host_id` and `bus.*` settings. An earlier key of that host is revoked.
core::Result<TextMap> add_host_key(const StateDirectory& state, const Deployment& deployment,
                                   const std::string& host_id);

bool has_host_key(const StateDirectory& state, const std::string& host_id);

/// Revokes the key of a host; false if it has none.
bool revoke_host_key(const StateDirectory& state, const std::string& host_id);

/// The `bus.*` settings of a join file, or of DIR/host.yaml.
TextMap bus_settings(const TextMap& file);

}  // namespace nucleus::operator_

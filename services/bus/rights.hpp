// The rights of CURVE keys over tcp: one YAML file per key in a directory, named after the key
// (core::rights_file_name), with `public_key`, `name`, `calls` and `project` (core/bus/
// peer_rights.hpp). The file is read at each handshake of its key, so a key is added or revoked by
// a file, without a restart.
#pragma once

#include <string>

#include "core/bus/peer_rights.hpp"

namespace nucleus::bus {

/// The rights that `directory` grants to a public key (Z85); none if it has no file for the key.
/// Reads that file only, and never the environment.
core::PeerRights find_rights(const std::string& directory, const std::string& public_key);

}  // namespace nucleus::bus

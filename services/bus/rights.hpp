// Who may do what over tcp: a folder of YAML files, one a key: `public_key`, `name`, `calls`,
// `project` (core/bus/peer_rights.hpp says what they mean). Read again whenever a handshake brings
// a key, so a key is added or withdrawn by a file, without a restart.
#pragma once

#include <string>

#include "core/bus/broker.hpp"

namespace nucleus::bus {

/// The rights that DIRECTORY/*.yaml give to a public key (Z85); none where no file names it.
core::PeerRights rights_of(const std::string& directory, const std::string& public_key);

}  // namespace nucleus::bus

// Rights files: what the bus allows the holder of a CURVE key. The bus reads them at each
// handshake.
#pragma once

#include <string>

#include "core/bus/peer_rights.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

inline core::Result<void> write_rights(const std::string& path, const std::string& public_key,
                                       const core::PeerRights& rights) {
  return write_text_map(path, {{"public_key", public_key},
                               {"name", rights.name},
                               {"calls", rights.calls},
                               {"project", rights.project}});
}

}  // namespace nucleus::operator_

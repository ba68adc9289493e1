// Rights files: what the bus allows the holder of a CURVE key. The bus reads them at each
// handshake.
#pragma once

#include <string>

#include "core/bus/peer_rights.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

inline core::Result<void> write_rights(const std::string& path, const std::string& public_key,
                                       const core::PeerRights& rights) {
  TextMap file{{"public_key", public_key},
               {"name", rights.name},
               {"calls", rights.calls},
               {"project", rights.project}};
  if (!rights.replaces.empty()) file["replaces"] = rights.replaces;
  if (rights.end_unix_s != 0) file["end_unix_s"] = std::to_string(rights.end_unix_s);
  return write_text_map(path, file);
}

}  // namespace nucleus::operator_

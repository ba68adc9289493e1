// The rights of CURVE keys over tcp: one YAML file per key in a directory, named after the key
// (core::rights_file_name), with `public_key`, `name`, `calls` and `project` (core/bus/
// peer_rights.hpp). The file is read at each handshake of its key, and again when a file of the
// directory changes, so a key is added or revoked by a file, without a restart.
#pragma once

#include <string>

#include "core/bus/peer_rights.hpp"

namespace nucleus::bus {

/// The rights that `directory` grants to a public key (Z85); none if it has no file for the key.
/// Reads that file only, and never the environment.
core::PeerRights find_rights(const std::string& directory, const std::string& public_key);

/// Removes the key's file; logs an error if that fails.
void remove_rights(const std::string& directory, const std::string& public_key);

/// Notices changes of the files in a directory (inotify).
class RightsWatch {
 public:
  explicit RightsWatch(std::string directory);
  ~RightsWatch();
  RightsWatch(const RightsWatch&) = delete;
  RightsWatch& operator=(const RightsWatch&) = delete;

  /// Whether a file may have been added, changed or removed since the last call. True while the
  /// directory cannot be watched.
  bool has_changed();

 private:
  const std::string directory_;
  int descriptor_;
  bool is_watched_ = false;
};

}  // namespace nucleus::bus

// Why a node or a computeset waits.
#pragma once

#include <string>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// What a node needs before it can be placed anywhere: its ports, then its volume, on which no work
/// is under way. Its `reason` is `unknown` if nothing is missing.
Wait missing_for(const StoredNode& node);

/// False while the image store has not handled the node's newest ISO.
inline bool is_volume_current(const StoredNode& node) {
  return !node.volume_iso_id || *node.volume_iso_id == node.definition.iso_id;
}

inline bool is_missing_something(const StoredNode& node) {
  return node.ports.empty() || !node.is_volume_ready || !is_volume_current(node) ||
         msg::is_under_way(node.disk_work);
}

/// One line for a person: what is done with the disk.
std::string text_of(const msg::DiskWork& work);

/// One line for a person; empty if it does not wait.
std::string text_of(const Wait& wait);

/// The reservation that is waited for; without a name if that is not for every tenant to see.
std::string shown_reservation(const Wait& wait);

}  // namespace nucleus::scheduler

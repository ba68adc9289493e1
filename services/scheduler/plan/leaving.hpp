// Nodes that leave a computeset which continues without them.
#pragma once

#include <string>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Stops a node of a running computeset. It leaves when it is off: at once, if it is on no host.
void start_leaving(Draft& draft, const msg::NodeId& id, bool is_graceful);

/// A node that was to leave is off since `off_unix_s`: it is free, and not charged from then on.
/// The last node of a computeset ends it instead.
void leave(Draft& draft, const msg::NodeId& id, std::int64_t off_unix_s);

/// What a node that leaves cannot do until it is off.
std::string is_leaving_text(const StoredNode& node);

}  // namespace nucleus::scheduler

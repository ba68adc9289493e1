// Nodes that their hosts cannot start: they are placed on other hosts.
#pragma once

#include <vector>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// The hosts that could not start the node since its power-on.
std::vector<msg::HostId> hosts_failed(const StoredNode& node);

/// Part of a scheduling pass: nodes that their hosts cannot start leave them, if another host has
/// room and is not known to fail, and `scheduler.start_attempts_max` is not reached. The others
/// stay, with the reason, and their hosts try again. Nodes that run are not touched.
void replace_failing(Draft& draft);

}  // namespace nucleus::scheduler

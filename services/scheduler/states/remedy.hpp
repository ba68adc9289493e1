// What changes the state of something that waits: one line for the person who asks.
#pragma once

#include <string>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// Of a node or a computeset with this reason to wait; empty if it does not wait.
std::string remedy_for(const Wait& wait);

/// Of a host; empty if it is up.
std::string remedy_for(msg::HostState state, const msg::HostId& id);

}  // namespace nucleus::scheduler

// The end of a computeset that has run.
#pragma once

#include "services/scheduler/plan/draft.hpp"
#include "services/scheduler/states/computeset_state.hpp"

namespace nucleus::scheduler {

/// Charges it, and frees its nodes for another. None of them is on a host.
void complete(Draft& draft, msg::ComputesetId id, ComputesetEvent event);

}  // namespace nucleus::scheduler

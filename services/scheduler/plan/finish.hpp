// The end of every plan: what follows from its changes.
#pragma once

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Completes computesets that end and whose last node is off, sets the reported state of each node
/// that changed or whose host did, and asks for a scheduling pass if something may find room.
Plan finish(Draft& draft);

}  // namespace nucleus::scheduler

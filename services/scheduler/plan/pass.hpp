// The scheduling pass: gives hosts to nodes and computesets that wait.
#pragma once

#include "services/scheduler/backend.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Nodes that wait first, then computesets, which `backend` decides on.
Plan plan_pass(const View& view, Backend& backend, std::int64_t now_unix_ms);

/// Places a node on the host with most CPUs free. Returns why not, and then changes nothing.
Wait place_node(Draft& draft, const msg::NodeId& id);

/// Starts a submitted computeset if all its nodes can be placed together; otherwise records why it
/// waits.
void place_computeset(Draft& draft, msg::ComputesetId id);

}  // namespace nucleus::scheduler

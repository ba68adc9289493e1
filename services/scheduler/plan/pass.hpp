// The scheduling pass: gives hosts to nodes and computesets that wait.
#pragma once

#include "services/scheduler/backend.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Nodes that wait first, then computesets, which `backend` decides on.
Plan plan_pass(const View& view, Backend& backend, std::int64_t now_unix_ms);

/// Places a node on the host with most CPUs free. Returns why not, and then changes nothing.
Wait place_node(Draft& draft, const msg::NodeId& id);

/// Why no host is open: none is up, or those that are up are drained.
WaitReason why_all_closed(const View& view, const Need& need);

/// The reservation that keeps the room that this need could have, or that the need names and that
/// has no room; `unknown` if there is none.
Wait why_reserved(Draft& draft, const Need& need);

}  // namespace nucleus::scheduler

// The changes that a computeset can go through; every plan uses these.
#pragma once

#include <string>
#include <vector>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// A computeset that waits gets its hosts, one for each node in order: it runs, and charging
/// starts. Nodes whose host is empty leave it, and are free again.
void start_computeset(Draft& draft, msg::ComputesetId id, const std::vector<msg::HostId>& hosts);

/// A computeset that waits to start is cancelled; the nodes of one that runs are stopped, and it
/// completes with the last of them; one that is hibernated completes at once. A repeated call with
/// force stops by force the nodes that still shut down.
void end_computeset(Draft& draft, msg::ComputesetId id, bool is_graceful,
                    const std::string& reason);

/// Ends a running computeset none of whose nodes is on any more, at the time the last of them went
/// off: they ended while no provisioner watched, for longer than a host's lease.
void end_deserted(Draft& draft, msg::ComputesetId id);

/// Removes a node from its computeset. A computeset that waits to start is cancelled; another ends
/// if this is its only node, otherwise it continues without the node: one that runs is charged as
/// before, one that is hibernated is charged less when it goes on.
void leave_computeset(Draft& draft, const msg::NodeId& id);

/// Sets why a submitted computeset waits, and until when if that is known.
void set_wait(Draft& draft, msg::ComputesetId id, const Wait& wait,
              std::int64_t predicted_start_unix_s = 0);

/// Ends the computesets whose walltime is over.
Plan plan_walltime_ends(const View& view, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler

// Keeps a deployment's processes running: starts each, adopts those of an earlier supervisor, and
// restarts those that end, with back-off. One thread, one poll(2).
#pragma once

#include <vector>

#include "operator/children.hpp"
#include "operator/processes.hpp"

namespace nucleus::operator_ {

/// Runs until SIGTERM or SIGINT, then stops every process. Returns the exit code: 3 if another
/// supervisor holds the state directory, 2 if it has no valid deployment or joined host.
int supervise(const StateDirectory& state);

/// Starts `nucleus supervise` as a daemon in its own session, and returns when it holds the lock of
/// the state directory.
core::Result<void> start_supervisor(const StateDirectory& state);
/// The supervisor of this state directory; pid 0 if none runs.
ProcessId running_supervisor(const StateDirectory& state);

/// Stops every process of the table with SIGTERM, then SIGKILL, and the domains of the private
/// libvirtd, and removes the host's network. The error names the processes that still run.
core::Result<void> stop_all(const StateDirectory& state);
/// The same, and first the supervisor, if it runs.
core::Result<void> stop_supervised(const StateDirectory& state);

}  // namespace nucleus::operator_

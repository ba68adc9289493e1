// Keeps a deployment's processes running: starts each, takes over those that an earlier supervisor
// left, starts again what died (slower each time it dies at once). One thread, one poll(2).
#pragma once

#include <vector>

#include "operator/deployment.hpp"
#include "operator/processes.hpp"

namespace nucleus::op {

/// Runs until SIGTERM or SIGINT, then stops every process; the exit code. Refuses to run beside
/// another on the same state.
int supervise(const StateDirectory& state);

/// Starts `nucleus supervise` of this state as a daemon in a session of its own, and returns once
/// it holds the state's lock.
core::Result<void> start_supervisor(const StateDirectory& state);
/// The supervisor of this state; pid 0 where none runs.
ProcessId running_supervisor(const StateDirectory& state);

/// Stops every process of the table: TERM, then KILL; domains of the private libvirtd are destroyed
/// on the way. What still runs afterwards is the error.
core::Result<void> stop_all(const StateDirectory& state);

}  // namespace nucleus::op

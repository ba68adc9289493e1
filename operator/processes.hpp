// Processes by pid and start time together, so that a pid used again by a stranger is never taken
// for ours; and the table of a deployment's processes, which outlives its supervisor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "operator/state_directory.hpp"

namespace nucleus::op {

struct ProcessId {
  pid_t pid = 0;                  // 0 = none
  std::uint64_t start_ticks = 0;  // since the machine's start, of /proc/PID/stat
};

/// What a pid is now; pid 0 where there is no such process, or only its zombie.
ProcessId process_of(pid_t pid);
bool is_alive(const ProcessId& process);
/// Sends the signal to this very process; false where it is gone.
bool send_signal(const ProcessId& process, int signal);
/// A descriptor that becomes readable when the process ends; -1 where it is gone.
int open_process_descriptor(const ProcessId& process);

struct ProcessEntry {
  ProcessId process = {};
  std::int64_t started_unix_ms = 0;
  std::uint32_t restarts = 0;
  std::string last_end = {};  // how it ended the last time: `exit 2`, `signal 9`; empty = never
  bool is_ground = false;     // stopped last, for the others stand on it
};

/// By name. Written at each change, before the process may run.
using ProcessTable = std::map<std::string, ProcessEntry>;

ProcessTable load_processes(const StateDirectory& state);
core::Result<void> save_processes(const StateDirectory& state, const ProcessTable& table);

}  // namespace nucleus::op

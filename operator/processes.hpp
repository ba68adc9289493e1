// Identifies processes by pid and start time, so that a reused pid is never mistaken for ours; and
// stores the table of a deployment's processes, which outlives its supervisor.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/runtime/process_end.hpp"
#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

struct ProcessId {
  pid_t pid = 0;                  // 0 = none
  std::uint64_t start_ticks = 0;  // since boot, from /proc/PID/stat
};

/// The process that has this pid now; pid 0 if there is none, or only a zombie.
ProcessId process_of(pid_t pid);
bool is_alive(const ProcessId& process);
/// Sends the signal to exactly this process; false if it has ended.
bool send_signal(const ProcessId& process, int signal);
/// A descriptor that becomes readable when the process ends; -1 if it has ended.
int open_process_descriptor(const ProcessId& process);

struct ProcessEntry {
  ProcessId process = {};
  std::int64_t started_unix_ms = 0;
  std::uint32_t restarts = 0;
  std::optional<core::ProcessEnd> last_end = {};  // nothing = it has not ended yet
  bool is_infrastructure = false;                 // others depend on it, so it stops last
};

/// `{"kind": "signalled", "code": 9}`; null for none.
nlohmann::json json_of(const std::optional<core::ProcessEnd>& end);

/// By name. Written on each change, before the process may run.
using ProcessTable = std::map<std::string, ProcessEntry>;

std::int64_t unix_ms_now();
bool is_any_running(const ProcessTable& table);
ProcessTable load_processes(const StateDirectory& state);
core::Result<void> save_processes(const StateDirectory& state, const ProcessTable& table);

}  // namespace nucleus::operator_

// A process that outlives the provisioner, and is found again by it: its pid is in a file, and
// something of its own, such as its working directory, tells it from a later process with that pid.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace nucleus::provisioner {

/// The number in the file; 0 if there is none.
pid_t read_pid(const std::string& file);

/// Calls `run`, which does not return, in a new process with this working directory, which is not a
/// child of ours. Its pid is in `pid_file` before this returns. After the fork nothing may be
/// allocated. False, with `errno`, if it cannot be started.
bool start_outliving(const std::string& directory, int pid_file, const std::function<void()>& run);

/// Sends the signal if `is_it` holds once the pid cannot be reused any more. After SIGKILL, waits
/// for its end, at most for 5 s.
void signal_outliving(pid_t pid, int signal, const std::function<bool()>& is_it);

}  // namespace nucleus::provisioner

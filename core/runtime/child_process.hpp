// A child process that does one thing and ends: qemu-img, mtools, a probe. Blocks, so it belongs on
// a worker. No shell is ever between.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::core {

struct ChildCommand {
  std::vector<std::string> argv = {};         // argv[0] is found along PATH
  std::vector<std::string> environment = {};  // NAME=VALUE, added to our own
  std::chrono::milliseconds deadline{30'000};
  std::size_t output_bytes_max = 1 << 20;  // more than that is read and dropped
};

struct ChildOutput {
  int exit_code = 0;  // 128 + signal where one ended it
  std::string output = {};
  std::string errors = {};
};

/// Runs it to its end; `deadline_exceeded`: it was killed, with whatever it had started.
Result<ChildOutput> run_child(const ChildCommand& command);

/// As run_child, where anything but exit code 0 is a failure: `internal`, with its last line of
/// errors.
Result<std::string> must_run_child(const ChildCommand& command);

}  // namespace nucleus::core

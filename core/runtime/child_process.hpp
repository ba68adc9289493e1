// Runs a program to its end: qemu-img, mtools, a probe. Blocks, so it belongs on a worker. No shell
// is involved.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/runtime/process_end.hpp"

namespace nucleus::core {

/// For a program that reads what a stranger made: it writes no file unless it is given a size, and
/// may make no system call but those in core/confine/main.cpp: it has no sockets.
struct Confinement {
  std::uint64_t memory_bytes = 1ULL << 30;
  std::int64_t cpu_s = 60;
  std::uint64_t open_files_max = 64;
  std::uint64_t file_bytes_max = 0;  // of each file that it writes; 0 = it writes none
};

struct ChildCommand {
  std::vector<std::string> argv = {};         // argv[0] is searched in PATH
  std::vector<std::string> environment = {};  // NAME=VALUE, added to our own
  std::chrono::milliseconds deadline{30'000};
  std::size_t output_bytes_max = 1 << 20;  // the rest is read and discarded
  std::optional<Confinement> confinement = {};
};

struct ChildOutput {
  ProcessEnd end = {};
  std::string output = {};
  std::string errors = {};
};

/// Runs the program to its end; `deadline_exceeded` if it was killed, with its own children.
Result<ChildOutput> run_child(const ChildCommand& command);

/// As run_child, but anything except exit status 0 is `internal`, with the last line of stderr.
Result<std::string> must_run_child(const ChildCommand& command);

}  // namespace nucleus::core

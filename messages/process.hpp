// The requests that every process serves, even while its store is not loaded. Sent to a process by
// name (`CallOptions::to`).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "messages/common.hpp"

namespace nucleus::msg {

/// Checks that the process is connected and its loop runs.
struct Ping {
  static constexpr std::string_view topic = "process.ping";
  using Reply = Done;
  NUCLEUS_NO_FIELDS()
};

/// starting: loading records or handling events from before its start; cut_off: not connected to
/// Redis or the bus; draining: takes no new requests.
NUCLEUS_ENUM(ProcessState, starting, cut_off, serving, draining)

struct ProcessStatus {
  std::string name = {};  // on the bus
  ProcessState state = ProcessState::unknown;
  std::string reason = {};  // if not `serving`
  std::int64_t pid = 0;
  std::int64_t started_unix_ms = 0;
  std::uint64_t requests_in_flight = 0;
  std::uint64_t event_handled = 0;  // events up to here have been handled
  std::uint64_t event_newest = 0;   // the newest event known to the process
  NUCLEUS_FIELDS(name, state, reason, pid, started_unix_ms, requests_in_flight, event_handled,
                 event_newest);
};

/// Reads the process's status.
struct GetProcessStatus {
  static constexpr std::string_view topic = "process.get-status";
  using Reply = ProcessStatus;
  NUCLEUS_NO_FIELDS()
};

struct ProcessConfig {
  std::map<std::string, std::string> settings =
      {};  // effective values; a secret is `(set)` or empty
  NUCLEUS_FIELDS(settings);
};

/// Reads the process's settings.
struct GetProcessConfig {
  static constexpr std::string_view topic = "process.get-config";
  using Reply = ProcessConfig;
  NUCLEUS_NO_FIELDS()
};

/// Makes the process refuse new requests as `unavailable`, so that callers repeat them to the next
/// process with its name. Requests in flight are completed; the status shows their number. Lasts
/// until the process is restarted.
struct DrainProcess {
  static constexpr std::string_view topic = "process.drain";
  using Reply = ProcessStatus;
  NUCLEUS_NO_FIELDS()
};

}  // namespace nucleus::msg

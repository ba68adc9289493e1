// What every process of the bus answers, whatever else it serves: core answers it, even while the
// store is not loaded. Said to a process by its name (`CallOptions::to`).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "messages/common.hpp"

namespace nucleus::msg {

/// Asks whether the process is there and its loop turns.
struct Ping {
  static constexpr std::string_view topic = "process.ping";
  using Reply = Done;
  NUCLEUS_NO_FIELDS()
};

/// starting: its records or the events of before its start are not read yet; cut_off: the bus does
/// not answer it; draining: it takes no new requests.
NUCLEUS_ENUM(ProcessState, starting, cut_off, serving, draining)

struct ProcessStatus {
  std::string name = {};  // on the bus
  ProcessState state = ProcessState::unknown;
  std::string reason = {};  // where it is not `serving`
  std::int64_t pid = 0;
  std::int64_t started_unix_ms = 0;
  std::uint64_t requests_in_flight = 0;
  std::uint64_t event_handled = 0;  // events up to here had their effect
  std::uint64_t event_newest = 0;   // the newest event it knows of
  NUCLEUS_FIELDS(name, state, reason, pid, started_unix_ms, requests_in_flight, event_handled,
                 event_newest);
};

/// Asks how it is.
struct GetProcessStatus {
  static constexpr std::string_view topic = "process.get-status";
  using Reply = ProcessStatus;
  NUCLEUS_NO_FIELDS()
};

struct ProcessConfig {
  std::map<std::string, std::string> settings = {};  // in force; of a secret only that it was said
  NUCLEUS_FIELDS(settings);
};

/// Asks for its settings.
struct GetProcessConfig {
  static constexpr std::string_view topic = "process.get-config";
  using Reply = ProcessConfig;
  NUCLEUS_NO_FIELDS()
};

/// From now on it takes no new requests: they are answered `unavailable`, and callers repeat them
/// to whoever has the name next. What is under way ends; the status tells when. Lasts until the
/// process is restarted.
struct DrainProcess {
  static constexpr std::string_view topic = "process.drain";
  using Reply = ProcessStatus;
  NUCLEUS_NO_FIELDS()
};

}  // namespace nucleus::msg

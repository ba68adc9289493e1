// The start of every program: options, settings, log, and stop signals.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/bus/zmq_link.hpp"
#include "core/config/settings.hpp"
#include "core/loop/posix_loop.hpp"

namespace nucleus::core {

/// Opens the log and reads `--config FILE`. Logs an error and returns nothing if that fails: the
/// program exits with 2.
std::optional<Settings> open_process(const std::string& name, int argc, char** argv);

/// Reads how process `name` connects to the bus: `bus.requests_url`, `bus.events_url`, and for tcp
/// its keys.
ZmqLinkOptions read_link_options(const std::string& name, Settings& settings);

/// Blocks SIGTERM, SIGINT and SIGHUP, ignores SIGPIPE, and calls `stop` on the loop for each of the
/// former; for SIGHUP only if `hang_up` returns false. Construct before any thread is created.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  void watch(
      PosixLoop& loop, std::function<void()> stop,
      std::function<bool()> hang_up = [] { return false; });

 private:
  int descriptor_;
};

}  // namespace nucleus::core

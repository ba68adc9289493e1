// What every program does first: its options, settings, log, and the signals that end it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/bus/zmq_link.hpp"
#include "core/config/settings.hpp"
#include "core/loop/posix_loop.hpp"

namespace nucleus::core {

/// Opens the log, reads `--config FILE` and the environment. On a fault it is logged, and nothing
/// returned: exit with 2.
std::optional<Settings> open_process(const std::string& name, int argc, char** argv);

/// How process `name` reaches the bus: `bus.requests_url`, `bus.events_url`, and over tcp its keys.
ZmqLinkOptions read_link_options(const std::string& name, Settings& settings);

/// Blocks SIGTERM, SIGINT and SIGHUP in every thread made later, and calls `stop` on the loop at
/// each of them; `hang_up` at SIGHUP, which stops too where that gives false. SIGPIPE is ignored.
/// Call before any thread is made.
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

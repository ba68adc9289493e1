// The console service's settings.
#pragma once

#include <string>

#include "core/config/settings.hpp"
#include "services/console/driver/console_proxy.hpp"
#include "services/console/ticket_book.hpp"

namespace nucleus::console {

struct RecordingRules {
  std::string folder = {};  // of the recordings' files; empty = nothing is recorded
  std::int64_t days = 90;   // how long recordings are kept
};

struct Config {
  ConsoleProxyOptions proxy = {};
  std::string public_url = {};  // ws://HOST:PORT/console for viewers; empty = `listen`
  TicketLimits tickets = {};
  RecordingRules recordings = {};

  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::console

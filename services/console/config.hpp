// The console service's settings.
#pragma once

#include <string>

#include "core/config/settings.hpp"
#include "services/console/driver/console_server.hpp"
#include "services/console/ticket_book.hpp"

namespace nucleus::console {

struct Config {
  ConsoleServerOptions server = {};
  std::string public_url = {};  // ws://HOST:PORT/console as viewers reach it; empty = `listen`
  TicketLimits tickets = {};

  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::console

// The console service's settings.
#pragma once

#include <string>

#include "core/config/settings.hpp"
#include "services/console/driver/console_server.hpp"

namespace nucleus::console {

struct Config {
  ConsoleServerOptions server = {};
  std::string public_url =
      {};  // ws://HOST:PORT/console as clients reach it; empty = where it listens
  std::int64_t ticket_s = 60;
  std::size_t tickets_max = 10'000;

  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::console

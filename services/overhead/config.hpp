// The overhead service's settings.
#pragma once

#include "core/config/settings.hpp"
#include "core/loop/loop.hpp"

namespace nucleus::overhead {

struct Config {
  core::Milliseconds probe_deadline{180'000};  // for one probe; about 10 s under TCG

  static core::Result<Config> from(core::Settings& settings) {
    Config config;
    config.probe_deadline = core::Milliseconds{settings.number(
        "overhead.probe_deadline_ms", config.probe_deadline.count(), 1'000, 3'600'000)};
    return config;
  }
};

}  // namespace nucleus::overhead

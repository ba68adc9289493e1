// The overhead service's settings.
#pragma once

#include "core/config/settings.hpp"
#include "core/loop/loop.hpp"

namespace nucleus::overhead {

struct Config {
  core::Milliseconds probe_deadline{180'000};  // for one probe; about 10 s under TCG

  /// Reads `overhead.*`; `settings.finish` reports a value out of range.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::overhead

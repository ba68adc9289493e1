#include "services/overhead/config.hpp"

namespace nucleus::overhead {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  config.probe_deadline = core::Milliseconds{settings.number(
      "overhead.probe_deadline_ms", config.probe_deadline.count(), 1'000, 3'600'000)};
  return config;
}

}  // namespace nucleus::overhead

// The registry's settings, read once at the start.
#include "services/registry/config.hpp"

namespace nucleus::registry {

core::Result<Config> Config::from(core::Settings& settings) {
  Config config;
  const auto count = [&](const char* key, std::size_t fallback, std::int64_t most) {
    return static_cast<std::size_t>(
        settings.number(key, static_cast<std::int64_t>(fallback), 1, most));
  };
  config.signature_age_s =
      settings.number("registry.signature_age_s", config.signature_age_s, 10, 86'400);
  config.nonces_max = count("registry.nonces_max", config.nonces_max, 10'000'000);
  config.nonces_per_key_max =
      count("registry.nonces_per_key_max", config.nonces_per_key_max, 10'000'000);
  config.nonce_sweep_s = settings.number("registry.nonce_sweep_s", config.nonce_sweep_s, 1, 3600);
  config.tokens_max = count("registry.tokens_max", config.tokens_max, 1000);
  config.password_cost.passes = count("registry.password_passes", 2, 100);
  config.password_cost.memory_bytes =
      1024 * count("registry.password_memory_kb", 65'536, 4'194'304);
  config.password_checks_max =
      count("registry.password_checks_max", config.password_checks_max, 1024);
  config.login_window_s =
      settings.number("registry.login_window_s", config.login_window_s, 1, 86'400);
  config.login_failures_max =
      count("registry.login_failures_max", config.login_failures_max, 1'000'000);
  config.login_failures_origin_max =
      count("registry.login_failures_origin_max", config.login_failures_origin_max, 1'000'000);
  return config;
}

}  // namespace nucleus::registry

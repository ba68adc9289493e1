// The registry's settings, read once at the start.
#include "services/registry/config.hpp"

namespace nucleus::registry {

Config Config::from(core::Settings& settings) {
  Config config;
  const auto count = [&](const char* key, std::size_t otherwise, std::int64_t most) {
    return static_cast<std::size_t>(
        settings.number(key, static_cast<std::int64_t>(otherwise), 1, most));
  };
  config.signature_age_s =
      settings.number("registry.signature_age_s", config.signature_age_s, 10, 86'400);
  config.nonces_max = count("registry.nonces_max", config.nonces_max, 10'000'000);
  config.nonces_per_key_max =
      count("registry.nonces_per_key_max", config.nonces_per_key_max, 10'000'000);
  config.nonce_sweep_s = settings.number("registry.nonce_sweep_s", config.nonce_sweep_s, 1, 3600);
  config.tokens_max = count("registry.tokens_max", config.tokens_max, 1000);
  return config;
}

}  // namespace nucleus::registry

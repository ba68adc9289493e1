// The registry's settings: default, unit, bounds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/config/settings.hpp"
#include "services/registry/passwords.hpp"

namespace nucleus::registry {

struct Config {
  std::int64_t signature_age_s = 1800;       // how far a signed request's clock may be off
  std::size_t nonces_max = 500'000;          // stored at the same time, of all keys
  std::size_t nonces_per_key_max = 100'000;  // of one person, also if the key was replaced
  std::int64_t nonce_sweep_s = 30;           // how often expired nonces are removed
  std::size_t tokens_max = 64;               // of one person; one more is refused
  HashCost password_cost = {};               // of argon2id; hashes of another cost stay valid
  std::size_t password_checks_max = 16;      // at the same time; each takes the memory of its cost
  std::int64_t login_window_s = 300;
  std::size_t login_failures_max = 10;         // of one person in a window
  std::size_t login_failures_origin_max = 50;  // from one address in a window

  /// Reads `registry.*`; `settings.finish` reports a value out of range.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::registry

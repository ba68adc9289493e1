// Passwords: argon2id in libsodium's text form, and a limit on guesses. Hashing takes a tenth of a
// second and much memory on purpose, so it runs on a worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace nucleus::registry {

struct HashCost {
  std::uint64_t passes = 2;
  std::size_t memory_bytes = 64 << 20;
};

/// argon2id with a new salt, as text; `unavailable` if memory is short.
core::Result<std::string> hash_password(const std::string& password, HashCost cost);
/// True if `stored_hash` is of `password`. For an empty hash false, after as much work.
bool is_password(const std::string& password, const std::string& stored_hash, HashCost cost);

/// Counts failed attempts per name in a window of time. An attempt counts as failed from its start
/// until it is forgiven, so that concurrent guesses are counted too. Nothing is ever evicted: names
/// are hashed with a secret into a fixed number of counters, and the few that share one share its
/// failures.
class AttemptLimit {
 public:
  struct Bounds {
    std::size_t failures_max = 10;
    std::int64_t window_ms = 300'000;
    std::size_t counters = 1 << 18;
  };
  /// `secret`: the hash key, at least 16 random bytes. Without it a client cannot choose a name
  /// that collides with a given one.
  AttemptLimit(Bounds bounds, std::string secret);

  /// Counts an attempt; false if this name has failed too often in its window.
  bool begin(const std::string& name, std::int64_t now_ms);
  /// How long attempts of this name, which has failed too often, are refused; 0 = not any more.
  std::int64_t refused_ms(const std::string& name, std::int64_t now_ms);
  /// The attempt succeeded: drops the failures of this name.
  void forgive(const std::string& name) { window_of(name) = {}; }
  /// The attempt was not decided: uncounts it.
  void withdraw(const std::string& name);

 private:
  struct Window {
    std::int64_t start_ms = 0;
    std::size_t failures = 0;
  };
  Window& window_of(const std::string& name);

  Bounds bounds_;
  std::string secret_;
  std::vector<Window> windows_;
};

}  // namespace nucleus::registry

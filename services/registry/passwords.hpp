// Passwords: argon2id as libsodium stores it, and how many guesses are let through. Hashing takes a
// tenth of a second and much memory on purpose, so it runs on a worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.hpp"

namespace nucleus::registry {

struct HashCost {
  std::uint64_t passes = 2;
  std::size_t memory_bytes = 64 << 20;
};

/// argon2id with a salt of its own, as text; `unavailable` where there is no memory for it.
core::Result<std::string> hash_password(const std::string& password, HashCost cost);
/// True where the stored hash is that of `password`; with an empty hash false, after as much work.
bool is_password(const std::string& password, const std::string& stored_hash, HashCost cost);

/// Counts what failed in a window of time, by name. An attempt counts as a failure from its
/// beginning until it is forgiven, so that guesses made at once are counted too.
class AttemptLimit {
 public:
  struct Bounds {
    std::size_t failures_max = 10;
    std::int64_t window_ms = 300'000;
    std::size_t names_max = 100'000;  // remembered; beyond it the oldest are forgotten
  };
  explicit AttemptLimit(Bounds bounds) : bounds_{bounds} {}

  /// False where this name failed too often of late; else the attempt is counted.
  bool begin(const std::string& name, std::int64_t now_ms);
  /// It succeeded: this name's failures are forgotten.
  void forgive(const std::string& name) { failures_.erase(name); }
  /// It was not decided: one attempt less.
  void take_back(const std::string& name);

 private:
  struct Window {
    std::int64_t begun_ms = 0;
    std::size_t failures = 0;
  };
  Bounds bounds_;
  std::unordered_map<std::string, Window> failures_ = {};
  std::deque<std::pair<std::int64_t, std::string>> order_ = {};  // windows by their begin
};

}  // namespace nucleus::registry

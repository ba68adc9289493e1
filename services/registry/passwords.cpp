// Passwords by libsodium.
#include "services/registry/passwords.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace nucleus::registry {

core::Result<std::string> hash_password(const std::string& password, HashCost cost) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str(text.data(), password.data(), password.size(), cost.passes,
                        cost.memory_bytes) != 0)
    return core::refuse(core::ErrorCode::unavailable, "too little memory to hash a password");
  return std::string(text.data());
}

bool is_password(const std::string& password, const std::string& stored_hash, HashCost cost) {
  if (stored_hash.empty()) {
    (void)hash_password(password, cost);
    return false;
  }
  return crypto_pwhash_str_verify(stored_hash.c_str(), password.data(), password.size()) == 0;
}

AttemptLimit::AttemptLimit(Bounds bounds, std::string secret)
    : bounds_{bounds}, secret_{std::move(secret)}, windows_(bounds.counters) {
  secret_.resize(crypto_shorthash_KEYBYTES);
}

AttemptLimit::Window& AttemptLimit::window_of(const std::string& name) {
  std::uint64_t hash = 0;
  static_assert(sizeof hash == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(name.data()), name.size(),
                   reinterpret_cast<const unsigned char*>(secret_.data()));
  return windows_[hash % windows_.size()];
}

bool AttemptLimit::begin(const std::string& name, std::int64_t now_ms) {
  auto& window = window_of(name);
  if (window.failures == 0 || window.start_ms + bounds_.window_ms <= now_ms)
    window = {.start_ms = now_ms};
  if (window.failures >= bounds_.failures_max) return false;
  ++window.failures;
  return true;
}

std::int64_t AttemptLimit::refused_ms(const std::string& name, std::int64_t now_ms) {
  const auto& window = window_of(name);
  if (window.failures < bounds_.failures_max) return 0;
  return std::max<std::int64_t>(0, window.start_ms + bounds_.window_ms - now_ms);
}

void AttemptLimit::withdraw(const std::string& name) {
  auto& window = window_of(name);
  if (window.failures > 0) --window.failures;
}

}  // namespace nucleus::registry

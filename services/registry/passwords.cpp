// Passwords by libsodium.
#include "services/registry/passwords.hpp"

#include <sodium.h>

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

bool AttemptLimit::begin(const std::string& name, std::int64_t now_ms) {
  while (!order_.empty() && (order_.front().first + bounds_.window_ms <= now_ms ||
                             failures_.size() >= bounds_.names_max)) {
    const auto found = failures_.find(order_.front().second);
    if (found != failures_.end() && found->second.start_ms == order_.front().first)
      failures_.erase(found);
    order_.pop_front();
  }
  auto [found, is_new] = failures_.try_emplace(name, Window{.start_ms = now_ms});
  if (is_new) order_.emplace_back(now_ms, name);
  if (found->second.failures >= bounds_.failures_max) return false;
  ++found->second.failures;
  return true;
}

void AttemptLimit::withdraw(const std::string& name) {
  const auto found = failures_.find(name);
  if (found != failures_.end() && found->second.failures > 0) --found->second.failures;
}

}  // namespace nucleus::registry

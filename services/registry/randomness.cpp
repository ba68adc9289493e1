// Secrets from libsodium's random source.
#include "services/registry/randomness.hpp"

#include <sodium.h>

#include <stdexcept>
#include <string_view>

namespace nucleus::registry {
namespace {

std::string pick(Randomness& randomness, std::string_view alphabet, std::size_t count) {
  std::string text(count, '\0');
  for (char& c : text) c = alphabet[randomness.below(static_cast<std::uint32_t>(alphabet.size()))];
  return text;
}

}  // namespace

SodiumRandomness::SodiumRandomness() {
  if (sodium_init() < 0) throw std::runtime_error("libsodium has no random source");
}

std::uint32_t SodiumRandomness::below(std::uint32_t bound) {
  return randombytes_uniform(bound);
}

std::string new_secret(Randomness& randomness) {
  return pick(randomness, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 24);
}

std::string new_token(Randomness& randomness) {
  return pick(randomness, "0123456789abcdef", 40);
}

}  // namespace nucleus::registry

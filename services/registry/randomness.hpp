// The source of secrets, as an interface, so that a simulation is reproducible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nucleus::registry {

class Randomness {
 public:
  virtual ~Randomness() = default;
  /// An unpredictable number from 0 to `bound` - 1, uniformly distributed.
  virtual std::uint32_t below(std::uint32_t bound) = 0;
};

/// libsodium's, which is the kernel's.
class SodiumRandomness final : public Randomness {
 public:
  SodiumRandomness();
  std::uint32_t below(std::uint32_t bound) override;
};

/// An API key's secret: 24 letters and digits.
std::string new_secret(Randomness& randomness);
/// A token: 40 hex digits.
std::string new_token(Randomness& randomness);

}  // namespace nucleus::registry

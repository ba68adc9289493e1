// CURVE key pairs as ZeroMQ makes them, in Z85.
#pragma once

#include <string>

#include "core/result.hpp"

namespace nucleus::core {

struct CurvePair {
  std::string public_key = {};  // 40 characters
  std::string secret_key = {};
};

/// A fresh pair from the system's randomness.
CurvePair new_curve_pair();

/// The public key that belongs to a secret one; `invalid_argument` where it is none.
Result<std::string> public_key_of(const std::string& secret_key);

}  // namespace nucleus::core

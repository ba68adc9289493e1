// CURVE key pairs as ZeroMQ makes them, in Z85.
#pragma once

#include <string>

namespace nucleus::core {

struct CurvePair {
  std::string public_key = {};  // 40 characters
  std::string secret_key = {};
};

/// A fresh pair from the system's randomness.
CurvePair new_curve_pair();

}  // namespace nucleus::core

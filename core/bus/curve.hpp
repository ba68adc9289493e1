// CURVE key pairs in ZeroMQ's text form (Z85, 40 characters).
#pragma once

#include <string>

#include "core/result.hpp"

namespace nucleus::core {

struct CurvePair {
  std::string public_key = {};
  std::string secret_key = {};
};

/// A new random pair.
CurvePair new_curve_pair();

/// The public key of a secret one; `invalid_argument` if it is not a CURVE key.
Result<std::string> public_key_of(const std::string& secret_key);

/// The name of the file in `bus.rights_directory` that grants rights to a public key: the key's 32
/// bytes in hex, then `.yaml`. Empty if it is not a CURVE key.
std::string rights_file_name(const std::string& public_key);

}  // namespace nucleus::core

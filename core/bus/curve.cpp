#include "core/bus/curve.hpp"

#include <zmq.h>

#include <array>
#include <stdexcept>

namespace nucleus::core {

CurvePair new_curve_pair() {
  std::array<char, 41> public_key{};
  std::array<char, 41> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw std::runtime_error("this ZeroMQ has no CURVE");
  return {.public_key = public_key.data(), .secret_key = secret_key.data()};
}

Result<std::string> public_key_of(const std::string& secret_key) {
  std::array<char, 41> public_key{};
  if (secret_key.size() != 40 || zmq_curve_public(public_key.data(), secret_key.c_str()) != 0)
    return refuse(ErrorCode::invalid_argument, "not a CURVE secret key of 40 characters");
  return std::string(public_key.data());
}

}  // namespace nucleus::core

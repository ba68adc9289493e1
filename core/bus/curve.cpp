#include "core/bus/curve.hpp"

#include <fmt/ranges.h>
#include <zmq.h>

#include <array>
#include <stdexcept>

namespace nucleus::core {

CurvePair new_curve_pair() {
  std::array<char, 41> public_key{};
  std::array<char, 41> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0)
    throw std::runtime_error("libzmq is built without CURVE");
  return {.public_key = public_key.data(), .secret_key = secret_key.data()};
}

Result<std::string> public_key_of(const std::string& secret_key) {
  std::array<char, 41> public_key{};
  if (secret_key.size() != 40 || zmq_curve_public(public_key.data(), secret_key.c_str()) != 0)
    return refuse(ErrorCode::invalid_argument, "not a CURVE secret key of 40 characters");
  return std::string(public_key.data());
}

std::string rights_file_name(const std::string& public_key) {
  std::array<std::uint8_t, 32> bytes{};
  if (public_key.size() != 40 || !zmq_z85_decode(bytes.data(), public_key.c_str())) return {};
  return fmt::format("{:02x}.yaml", fmt::join(bytes, ""));
}

}  // namespace nucleus::core

#include "services/console/secrets.hpp"

#include <sodium.h>

#include <array>

#include "core/digest/digest.hpp"

namespace nucleus::console {

std::string new_ticket() {
  std::array<unsigned char, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return core::to_base64url(bytes);
}

}  // namespace nucleus::console

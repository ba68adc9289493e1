// The Ed25519 key that certificates are signed with: made once, and kept in a file that only its
// owner can read.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace nucleus::overhead {

class SigningKey {
 public:
  /// Reads the key; makes it if there is no such file. `invalid_argument`: others may read the
  /// file, or it holds something else.
  static core::Result<SigningKey> open(const std::string& path);

  /// 32 bytes, hexadecimal.
  std::string public_key() const;
  /// 64 bytes, hexadecimal.
  std::string sign(std::string_view text) const;

 private:
  SigningKey() = default;

  std::array<unsigned char, 32> public_ = {};
  std::array<unsigned char, 64> secret_ = {};
};

}  // namespace nucleus::overhead

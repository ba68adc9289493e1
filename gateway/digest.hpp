// SHA-256, by which secrets and requests are remembered: never they themselves. From any thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace nucleus::gateway {

using Digest = std::array<unsigned char, 32>;

/// Throws std::bad_alloc alone.
Digest sha256(std::string_view bytes);

struct HashOfDigest {
  std::size_t operator()(const Digest& digest) const {
    std::size_t first = 0;  // as good as any other bytes of it
    std::memcpy(&first, digest.data(), sizeof first);
    return first;
  }
};

}  // namespace nucleus::gateway

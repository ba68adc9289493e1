// The entry point that libFuzzer calls with each input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// libFuzzer's own name for it.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace nucleus::tests {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace nucleus::tests

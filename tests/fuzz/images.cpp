// Any bytes as an image of each format: the checks return, and what they accept is within its
// limits.
#include <cstdlib>

#include "services/image_store/image_header.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

constexpr std::uint64_t virtual_bytes_max = 1ULL << 40;

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nucleus;
  if (size < 2) return 0;
  const auto format = static_cast<msg::ImageFormat>(data[0] % 4);
  // The file may have more than what is read of it.
  const std::uint64_t file_bytes = size - 2 + (std::uint64_t{data[1]} << 12);
  const auto head = tests::text_of(data + 2, size - 2);
  const auto checked = image_store::check_image_header(format, head, file_bytes, virtual_bytes_max);
  if (!checked && checked.error().code != core::ErrorCode::invalid_argument) std::abort();
  if (checked && *checked > virtual_bytes_max) std::abort();
  return 0;
}

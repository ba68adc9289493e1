// The parser of image headers on random bytes: it returns within its bounds, and what it accepts is
// safe to pass to qemu-img.
#include <gtest/gtest.h>

#include <random>

#include "services/image_store/image_header.hpp"
#include "tests/support/images.hpp"

namespace nucleus::image_store {
namespace {

constexpr int mutations = 50'000;
constexpr std::uint64_t file_bytes = 1 << 20;
constexpr std::uint64_t virtual_bytes_max = 1ULL << 40;

std::uint64_t get(std::string_view head, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<unsigned char>(head[at + i]);
  return value;
}

core::Result<std::uint64_t> checked(std::string_view head) {
  return check_image_header(msg::ImageFormat::qcow2, head, file_bytes, virtual_bytes_max);
}

TEST(ImageHeaderFuzz, StartsFromAValidHeader) {
  const auto size = checked(tests::a_qcow2_header());
  ASSERT_TRUE(size) << size.error().detail;
  EXPECT_EQ(*size, 1ULL << 30);
}

TEST(ImageHeaderFuzz, ReturnsForAnyBytesAndAcceptsNothingUnsafe) {
  std::mt19937_64 random(7);
  const auto pick = [&](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{0, most}(random);
  };
  int taken = 0;
  for (int i = 0; i < mutations; ++i) {
    std::string head = tests::a_qcow2_header();
    for (std::uint64_t k = 0, count = 1 + pick(3); k < count; ++k) {
      const auto at = pick(111);
      switch (pick(3)) {
        case 0:
          head[at] = static_cast<char>(pick(255));
          break;
        case 1:
          head[at] = static_cast<char>(head[at] ^ (1 << pick(7)));
          break;
        case 2:
          tests::put_number(head, at & ~7ULL, pick(1) ? ~0ULL : random(), 8);
          break;
        default:
          head.resize(std::max<std::size_t>(at, 1));
          head.resize(pick(1) ? head.size() : 112);
      }
      if (head.size() < 112) break;
    }
    const auto size = checked(head);
    if (!size) {
      EXPECT_EQ(size.error().code, core::ErrorCode::invalid_argument);
      continue;
    }
    ++taken;
    ASSERT_GE(head.size(), 72U);
    EXPECT_LE(*size, virtual_bytes_max);
    EXPECT_EQ(get(head, 8, 8), 0U) << "a backing file";
    EXPECT_EQ(get(head, 32, 4), 0U) << "encrypted";
    const auto table_end = get(head, 40, 8) + 8 * get(head, 36, 4);
    EXPECT_LE(table_end, file_bytes) << "a table beyond the file";
    if (get(head, 4, 4) == 3) {
      ASSERT_GE(head.size(), 104U);
      EXPECT_EQ(get(head, 72, 8) & ~std::uint64_t{1 + 8 + 16}, 0U) << "an unknown feature";
    }
  }
  EXPECT_GT(taken, 100) << "the mutations are too strong to reach the checks";
}

TEST(ImageHeaderFuzz, AcceptsNoIsoThatRefersOutsideItself) {
  std::mt19937_64 random(8);
  const auto pick = [&](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>{0, most}(random);
  };
  const auto little = [](std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  constexpr std::size_t primary = 16 * 2048;
  int taken = 0;
  for (int i = 0; i < mutations / 10; ++i) {
    auto iso = tests::an_iso();
    for (std::uint64_t k = 0, count = 1 + pick(3); k < count; ++k)
      iso[primary + 70 + pick(120)] = static_cast<char>(pick(1) ? pick(255) : pick(3));
    if (pick(3) == 0) iso.resize(pick(iso.size()));
    if (!check_image_header(msg::ImageFormat::iso, iso, iso.size(), virtual_bytes_max)) continue;
    ++taken;
    ASSERT_GE(iso.size(), 18U * 2048);
    const auto block = little(iso, primary + 128, 2);
    EXPECT_LE(little(iso, primary + 80, 4) * block, iso.size());
    EXPECT_LE(little(iso, primary + 158, 4) * block + little(iso, primary + 166, 4), iso.size());
  }
  EXPECT_GT(taken, 100);
}

TEST(ImageHeaderFuzz, ReturnsForEveryLengthOfEveryFormat) {
  const std::string whole = tests::a_qcow2_header();
  for (const auto format : {msg::ImageFormat::raw, msg::ImageFormat::qcow2, msg::ImageFormat::iso,
                            msg::ImageFormat::unknown})
    for (std::size_t length = 0; length <= 128; ++length) {
      const auto size = check_image_header(format, std::string_view(whole).substr(0, length),
                                           length, virtual_bytes_max);
      if (format == msg::ImageFormat::qcow2 && length < 104) {
        EXPECT_FALSE(size) << length;
      }
    }
}

TEST(ImageHeaderFuzz, RefusesEachKnownAttack) {
  struct Lie {
    const char* what;
    std::size_t at;
    std::uint64_t value;
    std::size_t count;
  };
  const Lie lies[] = {
      {"a backing file", 8, 0x200, 8},
      {"clusters of one byte", 20, 0, 4},
      {"clusters of 4 GiB", 20, 32, 4},
      {"a virtual size of 1 PB", 24, 1ULL << 50, 8},
      {"a virtual size of 2^63", 24, 1ULL << 63, 8},
      {"a virtual size below 0", 24, ~0ULL, 8},
      {"no size", 24, 0, 8},
      {"AES", 32, 1, 4},
      {"LUKS", 32, 2, 4},
      {"an L1 table of 32 MB", 36, 4 << 20, 4},
      {"an L1 table of 4 billion entries", 36, ~0U, 4},
      {"an L1 table beyond the end", 40, ~0ULL, 8},
      {"an L1 table whose end wraps round", 40, ~0ULL - 8, 8},
      {"an L1 table on no cluster's boundary", 40, 0x30001, 8},
      {"a refcount table beyond the end", 48, 1ULL << 40, 8},
      {"a refcount table on no cluster's boundary", 48, 0x10001, 8},
      {"a refcount table of 4 billion clusters", 56, ~0U, 4},
      {"a billion snapshots", 60, 1 << 30, 4},
      {"an external data file", 72, 4, 8},
      {"unknown features", 72, 1ULL << 40, 8},
      {"marked as corrupt", 72, 2, 8},
      {"refcounts of 2^64 bits", 96, 64, 4},
      {"a header longer than the file", 100, ~0U, 4},
  };
  for (const auto& lie : lies) {
    std::string head = tests::a_qcow2_header();
    tests::put_number(head, lie.at, lie.value, lie.count);
    EXPECT_FALSE(checked(head)) << lie.what;
  }
}

TEST(ImageHeaderFuzz, RefusesSnapshotsBeyondTheEnd) {
  std::string head = tests::a_qcow2_header();
  tests::put_number(head, 60, 1, 4);
  tests::put_number(head, 64, ~0ULL, 8);
  EXPECT_FALSE(checked(head));
  tests::put_number(head, 64, 0x40000, 8);
  EXPECT_TRUE(checked(head));
}

}  // namespace
}  // namespace nucleus::image_store

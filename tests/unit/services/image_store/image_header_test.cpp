#include "services/image_store/image_header.hpp"

#include <gtest/gtest.h>

#include "tests/support/images.hpp"

namespace nucleus::image_store {
namespace {

constexpr std::uint64_t limit = 1ULL << 40;

core::Result<std::uint64_t> check(const std::string& head, std::uint64_t whole_bytes = 1 << 20) {
  return check_image_header(msg::ImageFormat::qcow2, head, whole_bytes, limit);
}

TEST(ImageHeader, AcceptsAPlainQcow2AndReturnsItsSize) {
  EXPECT_EQ(check(tests::a_qcow2_header()), 1ULL << 30);
}

TEST(ImageHeader, RefusesReferencesOutsideTheFile) {
  for (const auto& [at, count, value] :
       std::vector<std::tuple<std::size_t, std::size_t, std::uint64_t>>{
           {8, 8, 512},          // a backing file
           {72, 8, 4},           // an external data file
           {72, 8, 1ULL << 40},  // an unknown feature
           {40, 8, 1ULL << 62},  // a table beyond the end
           {36, 4, 0xffffffff},  // a table too long
           {32, 4, 1},           // encryption
           {20, 4, 63},          // clusters of absurd size
           {24, 8, UINT64_MAX},  // a disk of absurd size
           {24, 8, 0},           // no disk at all
           {60, 4, 1'000'000},   // snapshots without end
           {4, 4, 9}}) {         // an unknown version
    std::string head = tests::a_qcow2_header();
    tests::put_number(head, at, value, count);
    const auto refused = check(head);
    ASSERT_FALSE(refused) << at << " = " << value;
    EXPECT_EQ(refused.error().field, "format");
  }
}

TEST(ImageHeader, RefusesEveryTruncatedHeader) {
  const std::string head = tests::a_qcow2_header();
  for (std::size_t size = 0; size < 104; ++size) EXPECT_FALSE(check(head.substr(0, size))) << size;
}

TEST(ImageHeader, AcceptsARawDiskOfWholeSectors) {
  EXPECT_EQ(check_image_header(msg::ImageFormat::raw, "", 1024, limit), 1024U);
  EXPECT_FALSE(check_image_header(msg::ImageFormat::raw, "", 1000, limit));
  EXPECT_FALSE(check_image_header(msg::ImageFormat::raw, "", limit + 512, limit));
}

TEST(ImageHeader, RecognizesAnIsoByItsSignature) {
  std::string head(header_bytes, '\0');
  EXPECT_FALSE(check_image_header(msg::ImageFormat::iso, head, 1 << 20, limit));
  head.replace(32769, 5, "CD001");
  EXPECT_EQ(check_image_header(msg::ImageFormat::iso, head, 1 << 20, limit), 1U << 20);
}

TEST(ImageHeader, RefusesAnUnknownFormat) {
  EXPECT_FALSE(
      check_image_header(msg::ImageFormat::unknown, tests::a_qcow2_header(), 1 << 20, limit));
}

}  // namespace
}  // namespace nucleus::image_store

#include "services/image_store/image_header.hpp"

#include <gtest/gtest.h>

namespace nucleus::image_store {
namespace {

constexpr std::uint64_t limit = 1ULL << 40;

void put(std::string& head, std::size_t at, std::size_t count, std::uint64_t value) {
  for (std::size_t i = 0; i < count; ++i)
    head[at + i] = static_cast<char>(value >> (8 * (count - 1 - i)));
}

/// A version 3 image of 1 GiB with one table entry.
std::string a_qcow2() {
  std::string head(header_bytes, '\0');
  head.replace(0, 4, "QFI\xfb");
  put(head, 4, 4, 3);
  put(head, 20, 4, 16);
  put(head, 24, 8, 1ULL << 30);
  put(head, 36, 4, 2);
  put(head, 40, 8, 0x30000);
  put(head, 48, 8, 0x10000);
  put(head, 56, 4, 1);
  put(head, 96, 4, 4);
  put(head, 100, 4, 104);
  return head;
}

core::Result<std::uint64_t> check(const std::string& head, std::uint64_t file_bytes = 1 << 20) {
  return check_image_header(msg::ImageFormat::qcow2, head, file_bytes, limit);
}

TEST(ImageHeader, TakesAPlainQcow2AndSaysItsSize) {
  EXPECT_EQ(check(a_qcow2()), 1ULL << 30);
}

TEST(ImageHeader, RefusesWhatReachesOutOfTheFile) {
  for (const auto& [at, count, value] :
       std::vector<std::tuple<std::size_t, std::size_t, std::uint64_t>>{
           {8, 8, 512},          // a backing file
           {72, 8, 4},           // an external data file
           {72, 8, 1ULL << 40},  // a feature nobody knows
           {40, 8, 1ULL << 62},  // a table beyond the end
           {36, 4, 0xffffffff},  // a table too long
           {32, 4, 1},           // encryption
           {20, 4, 63},          // clusters of absurd size
           {24, 8, UINT64_MAX},  // a disk of absurd size
           {24, 8, 0},           // no disk at all
           {60, 4, 1'000'000},   // snapshots without end
           {4, 4, 9}}) {         // a version nobody knows
    std::string head = a_qcow2();
    put(head, at, count, value);
    const auto refused = check(head);
    ASSERT_FALSE(refused) << at << " = " << value;
    EXPECT_EQ(refused.error().field, "format");
  }
}

TEST(ImageHeader, RefusesEveryCutOffHeader) {
  const std::string head = a_qcow2();
  for (std::size_t size = 0; size < 104; ++size) EXPECT_FALSE(check(head.substr(0, size))) << size;
}

TEST(ImageHeader, TakesARawDiskOfWholeSectors) {
  EXPECT_EQ(check_image_header(msg::ImageFormat::raw, "", 1024, limit), 1024U);
  EXPECT_FALSE(check_image_header(msg::ImageFormat::raw, "", 1000, limit));
  EXPECT_FALSE(check_image_header(msg::ImageFormat::raw, "", limit + 512, limit));
}

TEST(ImageHeader, KnowsAnIsoByItsMark) {
  std::string head(header_bytes, '\0');
  EXPECT_FALSE(check_image_header(msg::ImageFormat::iso, head, 1 << 20, limit));
  head.replace(32769, 5, "CD001");
  EXPECT_EQ(check_image_header(msg::ImageFormat::iso, head, 1 << 20, limit), 1U << 20);
}

TEST(ImageHeader, RefusesAnUnknownFormat) {
  EXPECT_FALSE(check_image_header(msg::ImageFormat::unknown, a_qcow2(), 1 << 20, limit));
}

}  // namespace
}  // namespace nucleus::image_store

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

core::Result<std::uint64_t> check_iso(const std::string& iso) {
  return check_image_header(msg::ImageFormat::iso, iso, iso.size(), limit);
}

void put_little(std::string& bytes, std::size_t at, std::uint64_t value, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

TEST(ImageHeader, RecognizesAnIsoByItsDescriptors) {
  EXPECT_FALSE(check_iso(std::string(header_bytes, '\0')));
  EXPECT_EQ(check_iso(tests::an_iso()), header_bytes);
  auto endless = tests::an_iso();
  endless[17 * 2048] = 2;
  EXPECT_FALSE(check_iso(endless));
  auto without_primary = tests::an_iso();
  without_primary[16 * 2048] = 0;
  EXPECT_FALSE(check_iso(without_primary));
}

TEST(ImageHeader, RefusesAnIsoThatRefersBeyondItsEnd) {
  const std::size_t primary = 16 * 2048;
  auto whole = tests::an_iso();
  put_little(whole, primary + 80, header_bytes / 2048, 4);  // blocks of the volume
  put_little(whole, primary + 128, 2048, 2);                // bytes of a block
  put_little(whole, primary + 158, 20, 4);                  // the root directory
  put_little(whole, primary + 166, 2048, 4);
  EXPECT_TRUE(check_iso(whole));
  EXPECT_FALSE(check_iso(whole.substr(0, header_bytes - 2048))) << "it was cut off";
  auto root = whole;
  put_little(root, primary + 158, 0xffffffff, 4);
  EXPECT_FALSE(check_iso(root));
  auto boot = whole;
  boot.replace(18 * 2048, 2048, boot.substr(17 * 2048, 2048));
  boot.replace(17 * 2048, 7, std::string("\0CD001\1", 7));
  boot.replace(17 * 2048 + 7, 23, "EL TORITO SPECIFICATION");
  put_little(boot, 17 * 2048 + 71, 19, 4);
  EXPECT_TRUE(check_iso(boot));
  for (const std::uint64_t catalog : {32U, 0x7fffffffU, 0xffffffffU}) {
    put_little(boot, 17 * 2048 + 71, catalog, 4);
    EXPECT_FALSE(check_iso(boot)) << catalog;
  }
}

TEST(ImageHeader, AcceptsKnownCompressionAndExtensions) {
  auto zstd = tests::a_qcow2_header();
  tests::put_number(zstd, 72, 8, 8);
  EXPECT_FALSE(check(zstd)) << "the type is not said";
  tests::put_number(zstd, 100, 112, 4);
  tests::put_number(zstd, 104, 1, 1);
  EXPECT_TRUE(check(zstd));
  auto names = tests::a_qcow2_header();
  tests::put_number(names, 104, 0x6803f857, 4);  // a table of names of features
  tests::put_number(names, 108, 48, 4);
  EXPECT_TRUE(check(names));
}

TEST(ImageHeader, RefusesAnUnknownFormat) {
  EXPECT_FALSE(
      check_image_header(msg::ImageFormat::unknown, tests::a_qcow2_header(), 1 << 20, limit));
}

}  // namespace
}  // namespace nucleus::image_store

#include "client/commands/transfer.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(UploadProgress, HasAUnitForEachSize) {
  EXPECT_EQ(shown_bytes(0), "0 B");
  EXPECT_EQ(shown_bytes(1023), "1023 B");
  EXPECT_EQ(shown_bytes(1024), "1.0 KiB");
  EXPECT_EQ(shown_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(shown_bytes(3ULL << 29), "1.5 GiB");
  EXPECT_EQ(shown_bytes(5000ULL << 40), "5000.0 TiB");
}

TEST(UploadProgress, HasAUnitForEachDuration) {
  EXPECT_EQ(shown_seconds(-5), "0 s");
  EXPECT_EQ(shown_seconds(119), "119 s");
  EXPECT_EQ(shown_seconds(120), "2 min");
  EXPECT_EQ(shown_seconds(7200), "2 h");
  EXPECT_EQ(shown_seconds(3 * 86'400), "3 d");
}

TEST(UploadProgress, ShowsSpeedAndTheTimeThatIsLeft) {
  Transfer transfer{.size_bytes = 1ULL << 30, .done_bytes = 1ULL << 29};
  EXPECT_EQ(shown_transfer(transfer), "50 % of 1.0 GiB");
  transfer.session_s = 4;
  EXPECT_EQ(shown_transfer(transfer), "50 % of 1.0 GiB") << "nothing was sent yet";
  transfer.session_bytes = 1ULL << 28;  // the rest was sent by an earlier run
  EXPECT_EQ(shown_transfer(transfer), "50 % of 1.0 GiB, 64.0 MiB/s, 8 s left");
  EXPECT_EQ(shown_transfer({}), "0 % of 0 B");
}

TEST(ImageCopy, ShowsProgressOrTheReasonThatThereIsNone) {
  auto copy = Json::parse(R"({"copied_bytes": 923417969, "total_bytes": 2147483648,
      "bytes_per_s": 48000000, "reason": ""})")
                  .value();
  EXPECT_EQ(shown_image_copy(copy), "43 % of 2.0 GiB, 45.8 MiB/s, 26 s left");
  copy.set("bytes_per_s", 0);
  EXPECT_EQ(shown_image_copy(copy), "43 % of 2.0 GiB");
  copy.set("reason", "the cache is full");
  EXPECT_EQ(shown_image_copy(copy), "43 % of 2.0 GiB: the cache is full");
  EXPECT_EQ(shown_image_copy(Json::object()), "0 % of 0 B");
}

}  // namespace
}  // namespace nucleus::client

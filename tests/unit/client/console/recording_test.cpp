#include "client/console/recording.hpp"

#include <gtest/gtest.h>

#include "client/api/json.hpp"

namespace nucleus::client {
namespace {

using std::chrono::milliseconds;

TEST(Asciicast, BeginsWithItsHeader) {
  EXPECT_EQ(Asciicast::header(100, 30, 1'700'000'000),
            "{\"version\":2,\"width\":100,\"height\":30,\"timestamp\":1700000000}\n");
}

TEST(Asciicast, WritesEachOutputAsALine) {
  Asciicast asciicast;
  EXPECT_EQ(asciicast.output(milliseconds(1500), "a\"b\\\r\n"),
            "[1.500, \"o\", \"a\\\"b\\\\\\r\\n\"]\n");
  EXPECT_EQ(asciicast.output(milliseconds(61'007), "\x1b[0m"), "[61.007, \"o\", \"\\u001b[0m\"]\n");
  EXPECT_EQ(asciicast.output(milliseconds(0), ""), "");
}

TEST(Asciicast, KeepsACharacterUntilItIsWhole) {
  Asciicast asciicast;
  EXPECT_EQ(asciicast.output(milliseconds(1), "\xe2\x82"), "");
  EXPECT_EQ(asciicast.output(milliseconds(2), "\xac!"), "[0.002, \"o\", \"\xe2\x82\xac!\"]\n");
}

TEST(Asciicast, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(Asciicast().output(milliseconds(1),
                               "a\xff"
                               "b"),
            "[0.001, \"o\", \"a\xef\xbf\xbd"
            "b\"]\n");
}

}  // namespace
}  // namespace nucleus::client

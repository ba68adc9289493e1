// Walltimes as people write them.
#include "client/commands/walltime.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(Walltime, AcceptsMinutesHoursDaysAndWeeksInEitherCase) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"90m", 90}, {"2h", 120},  {"1d", 1440},   {"1w", 10'080}, {"90M", 90},
      {"2H", 120}, {"1D", 1440}, {"1W", 10'080}, {"0001m", 1},   {"1000000m", 1'000'000}};
  for (const auto& [text, minutes] : cases) {
    const auto walltime = parse_walltime(text, "--walltime");
    ASSERT_TRUE(walltime) << text;
    EXPECT_EQ(walltime->minutes, minutes) << text;
    EXPECT_FALSE(walltime->has_no_unit) << text;
  }
}

TEST(Walltime, TakesABareNumberAsMinutes) {
  const auto walltime = parse_walltime("45", "--walltime");
  ASSERT_TRUE(walltime);
  EXPECT_EQ(walltime->minutes, 45);
  EXPECT_TRUE(walltime->has_no_unit);
}

TEST(Walltime, RefusesMalformedText) {
  for (const char* wrong :
       {"", "m", "0", "0m", "-5m", "+5m", "5x", "5mm", "5 m", " 5m", "5m ", "1.5h", "1e3m", "1h30m",
        "0x10m", "1000001m", "99999999999999999999m"}) {
    const auto walltime = parse_walltime(wrong, "--walltime");
    ASSERT_FALSE(walltime) << wrong;
    EXPECT_EQ(walltime.error().field, "walltime");
  }
}

TEST(Walltime, NamesTheOptionInTheError) {
  const auto refused = parse_walltime("30s", "--wait-limit");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().detail.starts_with("--wait-limit must be")) << refused.error().detail;
  EXPECT_EQ(refused.error().field, "wait-limit");
}

TEST(Walltime, IsPrintedAsBatchSystemsDo) {
  EXPECT_EQ(shown_minutes(0), "00:00");
  EXPECT_EQ(shown_minutes(59), "00:59");
  EXPECT_EQ(shown_minutes(90), "01:30");
  EXPECT_EQ(shown_minutes(1439), "23:59");
  EXPECT_EQ(shown_minutes(1440), "1-00:00");
  EXPECT_EQ(shown_minutes(2880 + 61), "2-01:01");
}

}  // namespace
}  // namespace nucleus::client

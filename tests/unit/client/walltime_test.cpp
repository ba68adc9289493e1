// Walltimes as people write them.
#include "client/walltime.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(Walltime, TakesMinutesHoursDaysAndWeeksInEitherCase) {
  const std::pair<const char*, std::int64_t> said[] = {
      {"90m", 90}, {"2h", 120},  {"1d", 1440},   {"1w", 10'080}, {"90M", 90},
      {"2H", 120}, {"1D", 1440}, {"1W", 10'080}, {"0001m", 1},   {"1000000m", 1'000'000}};
  for (const auto& [text, minutes] : said) {
    const auto walltime = parse_walltime(text);
    ASSERT_TRUE(walltime) << text;
    EXPECT_EQ(walltime->minutes, minutes) << text;
    EXPECT_FALSE(walltime->has_no_unit) << text;
  }
}

TEST(Walltime, TakesABareNumberAsMinutesAndSaysSo) {
  const auto walltime = parse_walltime("45");
  ASSERT_TRUE(walltime);
  EXPECT_EQ(walltime->minutes, 45);
  EXPECT_TRUE(walltime->has_no_unit);
}

TEST(Walltime, RefusesWhatIsNone) {
  for (const char* wrong :
       {"", "m", "0", "0m", "-5m", "+5m", "5x", "5mm", "5 m", " 5m", "5m ", "1.5h", "1e3m", "1h30m",
        "0x10m", "1000001m", "99999999999999999999m"}) {
    const auto walltime = parse_walltime(wrong);
    ASSERT_FALSE(walltime) << wrong;
    EXPECT_EQ(walltime.error().field, "walltime");
  }
}

TEST(Walltime, IsShownAsBatchSystemsWriteIt) {
  EXPECT_EQ(shown_minutes(0), "00:00");
  EXPECT_EQ(shown_minutes(59), "00:59");
  EXPECT_EQ(shown_minutes(90), "01:30");
  EXPECT_EQ(shown_minutes(1439), "23:59");
  EXPECT_EQ(shown_minutes(1440), "1-00:00");
  EXPECT_EQ(shown_minutes(2880 + 61), "2-01:01");
}

}  // namespace
}  // namespace nucleus::client

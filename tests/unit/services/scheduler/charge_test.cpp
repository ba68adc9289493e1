// What a computeset costs.
#include "services/scheduler/charge.hpp"

#include <gtest/gtest.h>

namespace nucleus::scheduler {
namespace {

TEST(Charge, IsCoresTimesSeconds) {
  EXPECT_EQ(charge_core_s({{1'000, 6}}, 1'060), 360);
  EXPECT_EQ(charge_core_s({{1'700'000'000, 4096}}, 1'700'604'800), 4096LL * 604'800);
}

TEST(Charge, IsNothingForAComputesetThatNeverStarted) {
  EXPECT_EQ(charge_core_s({}, 1'700'000'000), 0);
}

TEST(Charge, IsNeverNegativeAlthoughAClockWentBack) {
  EXPECT_EQ(charge_core_s({{1'000, 6}}, 900), 0);
  EXPECT_EQ(charge_core_s({{1'000, 6}}, 1'000), 0);
}

TEST(Charge, FollowsEachRateFromItsBeginning) {
  EXPECT_EQ(charge_core_s({{1'000, 1}, {1'010, 60}, {1'015, 2}}, 1'020), 10 + 300 + 10);
  EXPECT_EQ(charge_core_s({{1'000, 1}, {1'010, 60}}, 1'005), 5) << "it ended before the second";
}

TEST(Charge, OfAPeriodIsOnlyWhatRanWithinIt) {
  const std::vector<ChargeRate> rates{{1'000, 2}, {1'100, 4}};
  EXPECT_EQ(charge_core_s(rates, 1'200, {.from_unix_s = 1'050}), 100 + 400);
  EXPECT_EQ(charge_core_s(rates, 1'200, {.to_unix_s = 1'150}), 200 + 200);
  EXPECT_EQ(charge_core_s(rates, 1'200, {.from_unix_s = 1'090, .to_unix_s = 1'110}), 20 + 40);
  EXPECT_EQ(charge_core_s(rates, 1'200, {.to_unix_s = 1'000}), 0);
  EXPECT_EQ(charge_core_s(rates, 1'200, {.from_unix_s = 1'200}), 0);
}

}  // namespace
}  // namespace nucleus::scheduler

// What a computeset costs.
#include "services/scheduler/charge.hpp"

#include <gtest/gtest.h>

namespace nucleus::scheduler {
namespace {

TEST(Charge, IsCoresBySeconds) {
  EXPECT_EQ(charge_core_s(6, 1'000, 1'060), 360);
  EXPECT_EQ(charge_core_s(4096, 1'700'000'000, 1'700'604'800), 4096LL * 604'800);
}

TEST(Charge, IsNothingForOneThatNeverStarted) {
  EXPECT_EQ(charge_core_s(6, 0, 1'700'000'000), 0);
}

TEST(Charge, IsNeverBelowNothingThoughAClockGoesBack) {
  EXPECT_EQ(charge_core_s(6, 1'000, 900), 0);
  EXPECT_EQ(charge_core_s(6, 1'000, 1'000), 0);
}

}  // namespace
}  // namespace nucleus::scheduler

// The limit on failed log-ins. That a right password is refused too is in registry_people_test.cpp.
#include "services/registry/passwords.hpp"

#include <gtest/gtest.h>

namespace nucleus::registry {
namespace {

AttemptLimit a_limit() {
  return {{.failures_max = 3, .window_ms = 1'000}, "0123456789abcdef"};
}

TEST(AttemptLimit, RefusesANameAfterItsFailuresUntilTheWindowEnds) {
  auto limit = a_limit();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.begin("ada", 0));
  EXPECT_FALSE(limit.begin("ada", 999));
  EXPECT_EQ(limit.refused_ms("ada", 999), 1);
  EXPECT_EQ(limit.refused_ms("ben", 999), 0);
  EXPECT_TRUE(limit.begin("ben", 999));
  EXPECT_EQ(limit.refused_ms("ada", 1'000), 0);
  EXPECT_TRUE(limit.begin("ada", 1'000));
}

TEST(AttemptLimit, KeepsTheFailuresOfANameWhateverOtherNamesFail) {
  auto limit = a_limit();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.begin("ada", 0));
  for (int i = 0; i < 200'000; ++i) (void)limit.begin("unknown" + std::to_string(i), 1);
  EXPECT_FALSE(limit.begin("ada", 2));
}

TEST(AttemptLimit, ForgetsFailuresAfterASuccessAndUncountsWhatWasNotDecided) {
  auto limit = a_limit();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(limit.begin("ada", 0));
  limit.forgive("ada");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.begin("ada", 0));
  limit.withdraw("ada");
  EXPECT_TRUE(limit.begin("ada", 0));
  EXPECT_FALSE(limit.begin("ada", 0));
}

}  // namespace
}  // namespace nucleus::registry

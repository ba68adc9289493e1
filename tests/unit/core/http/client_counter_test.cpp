// The limits of what clients hold.
#include "core/http/client_counter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nucleus::core::http {
namespace {

TEST(ClientCounter, RefusesAClientAtItsLimitAndAllAtTheirs) {
  ClientCounter<std::string> counter({.all = 5, .per_client = 3});
  EXPECT_TRUE(counter.take("a", 3));
  EXPECT_FALSE(counter.take("a"));
  EXPECT_TRUE(counter.take("b", 2));
  EXPECT_FALSE(counter.take("b")) << "all hold 5";
  EXPECT_FALSE(counter.take("c"));
}

TEST(ClientCounter, HasRoomForWhatWasReleasedAndNothingForWhatWasRefused) {
  ClientCounter<int> counter({.all = 4, .per_client = 3});
  EXPECT_FALSE(counter.take(1, 4));
  EXPECT_TRUE(counter.take(1, 3));
  EXPECT_FALSE(counter.take(2, 2));
  counter.release(1, 1);
  EXPECT_TRUE(counter.take(2, 2));
  EXPECT_FALSE(counter.take(1));
  counter.release(2, 2);
  EXPECT_TRUE(counter.take(1));
}

}  // namespace
}  // namespace nucleus::core::http

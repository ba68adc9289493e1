// The order of renames.
#include "client/commands/renames.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(Renames, NeverGiveTwoNodesOneName) {
  const std::vector<std::string> existing = {"a", "b", "c"};
  EXPECT_EQ(*plan_renames(existing, {"a", "b"}, {"b", "x"}), (Renames{{"b", "x"}, {"a", "b"}}));
  const auto swap = plan_renames(existing, {"a", "b"}, {"b", "a"});
  ASSERT_EQ(swap->size(), 3u);
  EXPECT_EQ(swap->front().first, "a");
  EXPECT_EQ(swap->at(1), std::pair(std::string("b"), std::string("a")));
  EXPECT_EQ(swap->back().second, "b");
  EXPECT_FALSE(plan_renames(existing, {"a"}, {"c"}));
  EXPECT_FALSE(plan_renames(existing, {"z"}, {"y"}));
  EXPECT_FALSE(plan_renames(existing, {"a", "b"}, {"x"}));
  EXPECT_FALSE(plan_renames(existing, {}, {}));
}

}  // namespace
}  // namespace nucleus::client

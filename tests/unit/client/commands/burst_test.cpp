// What burst does to nodes that a batch system wants on or off.
#include "client/commands/burst.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

/// A node in computeset `id`; in none if it is 0.
Json burst_node(const char* name, int id = 0, const char* set_state = "unknown",
                const char* state = "active") {
  return Json::object({{"name", name},
                       {"kind", "compute"},
                       {"computeset_id", id},
                       {"computeset_state", set_state},
                       {"state", state}});
}

Json burst_cluster(std::vector<Json> computes) {
  computes.push_back(Json::object({{"name", "fe"}, {"kind", "frontend"}, {"computeset_id", 0}}));
  return Json::object({{"nodes", Json::list(std::move(computes))}});
}

TEST(BurstResume, StartsTheNodesThatAreInNoComputeset) {
  const auto cluster = burst_cluster(
      {burst_node("a", 0, "unknown", "shutoff"), burst_node("b"), burst_node("c", 1, "running")});
  const auto plan = plan_resume(cluster, {"b", "a", "c"});
  EXPECT_EQ(plan.start, (Names{"b", "a"}));
  EXPECT_EQ(plan.power_on, Names{});
  EXPECT_EQ(plan.stopping, Names{});
  EXPECT_EQ(plan.unknown, Names{});
}

TEST(BurstResume, LeavesNodesThatRunStartOrWait) {
  const auto cluster = burst_cluster(
      {burst_node("a", 1, "running"), burst_node("b", 1, "running", "nostate"),
       burst_node("c", 2, "submitted", "shutoff"), burst_node("d", 1, "running", "nostate-error")});
  const auto plan = plan_resume(cluster, {"a", "b", "c", "d"});
  EXPECT_EQ(plan.start, Names{});
  EXPECT_EQ(plan.power_on, Names{});
  EXPECT_EQ(plan.stopping, Names{});
}

TEST(BurstResume, PowersOnNodesThatAreOffInAComputesetThatRuns) {
  auto never_seen = burst_node("c", 1, "running", "nostate");
  never_seen.set("is_desired_on", Json::parse("false").value());
  const auto cluster = burst_cluster({burst_node("a", 1, "running", "shutoff"),
                                      burst_node("b", 1, "running", "crashed"), never_seen});
  EXPECT_EQ(plan_resume(cluster, {"a", "b", "c"}).power_on, (Names{"a", "b", "c"}));
}

TEST(BurstResume, WaitsForNodesThatStop) {
  const auto cluster =
      burst_cluster({burst_node("a", 1, "ending"), burst_node("b", 1, "ending", "shutoff"),
                     burst_node("c", 2, "running", "shutdown")});
  EXPECT_EQ(plan_resume(cluster, {"a", "b", "c"}).stopping, (Names{"a", "b", "c"}));
}

TEST(BurstResume, ReportsNamesThatAreNoComputes) {
  EXPECT_EQ(plan_resume(burst_cluster({burst_node("a")}), {"a", "fe", "x"}).unknown,
            (Names{"fe", "x"}));
  EXPECT_EQ(plan_suspend(burst_cluster({burst_node("a")}), {"a", "fe", "x"}).unknown,
            (Names{"fe", "x"}));
}

TEST(BurstSuspend, EndsAComputesetWithoutOtherNodesAndRemovesTheOthers) {
  const auto cluster = burst_cluster({burst_node("a", 1, "running"), burst_node("b", 1, "running"),
                                      burst_node("c", 2, "running"), burst_node("d", 2, "running"),
                                      burst_node("e", 3, "submitted", "shutoff")});
  const auto plan = plan_suspend(cluster, {"a", "c", "b", "e"});
  EXPECT_EQ(plan.end, (std::map<std::string, Names>{{"1", {"a", "b"}}, {"3", {"e"}}}));
  EXPECT_EQ(plan.remove, (std::map<std::string, Names>{{"2", {"c"}}}));
}

TEST(BurstSuspend, LeavesNodesThatAreInNoComputesetOrStopAlready) {
  const auto cluster = burst_cluster({burst_node("a"), burst_node("b", 1, "ending", "shutdown")});
  const auto plan = plan_suspend(cluster, {"a", "b"});
  EXPECT_TRUE(plan.end.empty());
  EXPECT_TRUE(plan.remove.empty());
}

}  // namespace
}  // namespace nucleus::client

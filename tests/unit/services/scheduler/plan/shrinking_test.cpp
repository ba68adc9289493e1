// Nodes leave a running computeset.
#include <gmock/gmock.h>

#include "services/scheduler/plan/explain.hpp"
#include "tests/unit/services/scheduler/resizing.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::DomainState;
using msg::PowerAction;
using testing::ElementsAre;

TEST_F(Resize, StopsNodesThatLeaveWhenTheyAreOff) {
  const auto id = start(3);
  for (const auto* node : {"c-1", "c-2", "c-3"}) small.observe(node, DomainState::running);
  ASSERT_TRUE(shrink(id, {"vm-c-2"}));
  EXPECT_FALSE(small.node("c-2").is_grant_on);
  EXPECT_TRUE(small.node("c-2").is_graceful);
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1", "c-2", "c-3"));
  EXPECT_EQ(small.computeset(id).computeset.reason, "shrunk by vm-c-2");
  const std::string leaves = "vm-c-2 leaves computeset 1: it can be started when it is off";
  EXPECT_REFUSED(small.start({.cluster_id = {"c"}, .names = {"vm-c-2"}}),
                 ErrorCode::invalid_argument, "names", leaves);
  EXPECT_REFUSED(small.power("c-2", PowerAction::poweron), ErrorCode::wrong_state, "", leaves);
  const auto why = explain_node(small.view, {.node = {.node_id = {"c-2"}}, .viewer = as_operator},
                                small.now_unix_ms);
  ASSERT_TRUE(why);
  EXPECT_EQ(why->causes.front().remedy, "it leaves computeset 1 when it is off");

  ASSERT_TRUE(shrink(id, {"vm-c-2"}, PowerAction::poweroff)) << "by force, if it takes too long";
  EXPECT_FALSE(small.node("c-2").is_graceful);
  small.observe("c-2", DomainState::shutoff);
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1", "c-3"));
  EXPECT_EQ(small.node("c-2").computeset_id, 0);
  EXPECT_TRUE(small.host_of("c-2").empty());
  EXPECT_EQ(small.computeset(id).cores, 2);
  for (const auto* node : {"c-1", "c-3"}) EXPECT_EQ(small.node(node).state, msg::NodeState::active);
  const auto again = small.start({.cluster_id = {"c"}, .names = {"vm-c-2"}});
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(state(*again), ComputesetState::running);
}

TEST_F(Resize, LeavesANodeThatLeftAloneAtTheEndOfTheWalltime) {
  const auto id = start(3);
  ASSERT_TRUE(shrink(id, {"vm-c-2"}, PowerAction::poweroff));
  small.observe("c-2", DomainState::shutoff);
  ASSERT_TRUE(small.start({.cluster_id = {"c"}, .names = {"vm-c-2"}, .walltime_mins = 600}));
  small.pass_time_s(60 * minute_s);
  small.sweep();
  EXPECT_EQ(state(id), ComputesetState::ending);
  EXPECT_TRUE(small.node("c-2").is_grant_on);
  EXPECT_FALSE(small.node("c-1").is_grant_on);
  small.end_stopping();
  EXPECT_EQ(state(id), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 2 * 3600) << "the other left in the first second";
}

TEST_F(Resize, LetsANodeThatIsOffLeaveAtOnce) {
  const auto id = start(2);
  ASSERT_TRUE(small.power("c-2", PowerAction::poweroff));
  small.observe("c-2", DomainState::shutoff);
  small.pass_time_s(60);
  ASSERT_TRUE(shrink(id, {"vm-c-2"}));
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1"));
  EXPECT_EQ(small.computeset(id).rates.back().from_unix_s, small.now_unix_s());
}

TEST_F(Resize, EndsWithItsLastNode) {
  const auto id = start(2);
  ASSERT_TRUE(shrink(id, {"vm-c-1", "vm-c-2"}));
  EXPECT_EQ(state(id), ComputesetState::ending);
  EXPECT_EQ(small.computeset(id).computeset.reason, "all its nodes were removed");
  small.pass_time_s(10);
  small.end_stopping();
  EXPECT_EQ(state(id), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 20);

  const auto one_by_one = start(2);
  ASSERT_TRUE(shrink(one_by_one, {"vm-c-1"}));
  ASSERT_TRUE(shrink(one_by_one, {"vm-c-2"}));
  EXPECT_EQ(state(one_by_one), ComputesetState::ending);
  small.pass_time_s(10);
  small.observe("c-2", DomainState::shutoff);
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  EXPECT_EQ(state(one_by_one), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 20 + 40) << "the last one is charged with it";
}

TEST_F(Resize, EndsIfTheNodesThatDidNotLeaveAreRemoved) {
  const auto id = start(2);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}));
  small.apply(plan_node_removed(small.view, {.node = small.definition("c", 2)}, 0));
  EXPECT_EQ(state(id), ComputesetState::running);
  small.observe("c-1", DomainState::shutoff);
  EXPECT_EQ(state(id), ComputesetState::completed);
}

TEST_F(Resize, LetsANodeLeaveThatIsRemovedMeanwhile) {
  const auto id = start(3);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}));
  small.apply(plan_node_removed(small.view, {.node = small.definition("c", 1)}, small.now_unix_ms));
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  EXPECT_EQ(small.view.node({"c-1"}), nullptr);
  EXPECT_THAT(nodes_of(id), ElementsAre("c-2", "c-3"));
  EXPECT_EQ(small.computeset(id).cores, 2);
}

TEST_F(Resize, ChargesANodeThatLeavesWhileItsComputesetEnds) {
  const auto id = start(2);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}));
  small.end(id, PowerAction::shutdown);
  small.pass_time_s(10);
  small.observe("c-2", DomainState::shutoff);
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  EXPECT_EQ(state(id), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 40) << "both until the last of them is off";
}

TEST_F(Resize, IsChargedAsLongAsANodeThatLeftWasOn) {
  const auto id = start(3);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}));
  small.end(id);
  small.pass_time_s(10);
  for (const auto* node : {"c-2", "c-3"}) small.observe(node, DomainState::shutoff);
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  EXPECT_EQ(state(id), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 3 * 20);
}

TEST_F(Resize, TakesTheTimeAtWhichANodeWasLastSeen) {
  const auto id = start(2);
  small.pass_time_s(100);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}));
  const auto seen_unix_ms = small.now_unix_ms;
  small.pass_time_s(40);
  ASSERT_TRUE(grow(id, {"vm-c-3"}));
  small.pass_time_s(20);
  small.observe("c-1", DomainState::shutoff, seen_unix_ms);
  EXPECT_EQ(charged_core_s(small.computeset(id), small.now_unix_s()), 200 + 40 + 40);
}

TEST_F(Resize, LosesANodeThatLeavesWithItsHost) {
  const auto id = start(2);
  ASSERT_EQ(small.host_of("c-2"), "h2");
  ASSERT_TRUE(shrink(id, {"vm-c-2"}));
  small.lose("h2");
  small.pass();
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1"));
  EXPECT_TRUE(small.host_of("c-2").empty()) << "it is not placed elsewhere";
}

TEST_F(Resize, ReplacesAnAddedNodeThatItsHostCannotStart) {
  const auto id = start(1);
  ASSERT_TRUE(grow(id, {"vm-c-2"}));
  const auto host = small.host_of("c-2");
  small.fail_start("c-2");
  small.pass();
  small.observe("c-2", DomainState::shutoff);
  small.pass();
  EXPECT_NE(small.host_of("c-2"), host);
  EXPECT_EQ(small.node("c-2").computeset_id, id);
  EXPECT_EQ(small.computeset(id).cores, 2);
}

TEST_F(Resize, NamesTheNodeThatCannotBeRemoved) {
  const auto id = start(2);
  small.start("c", 1);
  const auto bad = ErrorCode::invalid_argument;
  for (const auto* other : {"vm-c-3", "vm-c-9", "c"})
    EXPECT_REFUSED(shrink(id, {"vm-c-1", other}), bad, "names",
                   std::string("There is no compute ") + other + " in computeset 1");
  EXPECT_REFUSED(shrink(id, {"vm-c-1", "vm-c-1"}), bad, "names", "a node is named twice");
  EXPECT_REFUSED(shrink(id, {}), bad, "names", "names must have 1 to 4096 nodes");
  EXPECT_REFUSED(shrink(id, {"vm-c-1"}, PowerAction::reboot), bad, "action",
                 "action must be shutdown or poweroff");
  EXPECT_TRUE(small.node("c-1").is_grant_on);
}

TEST_F(Resize, MayShrinkBelowTheNumberThatItStartedWithAtLeast) {
  const auto id =
      small.start({.cluster_id = {"c"}, .count = 3, .walltime_mins = 60, .node_count_min = 3});
  ASSERT_TRUE(id);
  ASSERT_TRUE(shrink(*id, {"vm-c-1"}, PowerAction::poweroff));
  small.observe("c-1", DomainState::shutoff);
  EXPECT_THAT(nodes_of(*id), ElementsAre("c-2", "c-3"));
}

TEST_F(Resize, KeepsTheHostsThatItsOtherNodesAskedFor) {
  const auto id =
      small.start({.cluster_id = {"c"}, .names = {"vm-c-1", "vm-c-2"}, .hosts = {{"h2"}, {"h1"}}});
  ASSERT_TRUE(id) << id.error().detail;
  ASSERT_TRUE(grow(*id, {"vm-c-3"}));
  EXPECT_THAT(small.computeset(*id).hosts,
              ElementsAre(msg::HostId{"h2"}, msg::HostId{"h1"}, msg::HostId{}));
  ASSERT_TRUE(shrink(*id, {"vm-c-1"}, PowerAction::poweroff));
  small.observe("c-1", DomainState::shutoff);
  EXPECT_THAT(small.computeset(*id).hosts, ElementsAre(msg::HostId{"h1"}, msg::HostId{}));
}

}  // namespace
}  // namespace nucleus::scheduler
